"""Images as they travel, and as graphs take them."""
