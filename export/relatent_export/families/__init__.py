"""Importing published checkpoints. No importer ever runs code from a file."""
