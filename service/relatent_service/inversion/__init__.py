"""An image in; its latent code out: start, refinement, finish."""
