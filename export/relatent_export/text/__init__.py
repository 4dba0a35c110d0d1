"""Text that moves pictures, by any image-text pair with CLIP's interface."""
