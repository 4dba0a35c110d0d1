"""Finding directions in a latent space and measuring what they do."""
