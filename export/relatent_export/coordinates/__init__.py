"""Coordinates for any pack's refinement: measured at samples of its own generator."""
