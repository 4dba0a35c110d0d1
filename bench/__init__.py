"""Measured comparisons: `python -m bench NAME` (see docs/bench.md)."""
