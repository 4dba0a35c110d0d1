"""Packs on disk: networks, weights, manifest, and whether all is there."""
