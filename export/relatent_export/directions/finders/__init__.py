"""Finders of directions: a file each, and a line in `registry`."""
