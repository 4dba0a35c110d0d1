"""Measures of what was exported."""
