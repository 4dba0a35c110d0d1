"""Relatent: GAN inversion and editing as production software."""
