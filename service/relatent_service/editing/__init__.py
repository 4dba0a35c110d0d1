"""Latent codes checked and edited: pure functions over arrays."""
