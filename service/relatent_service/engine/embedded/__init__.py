"""A Triton of this process's own, from the PyPI wheel."""
