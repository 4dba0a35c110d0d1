"""Why a file cannot be imported.

Refused                 a ValueError; its message is one line and starts with the file
├── UnsafeFile          it asks to run code; the message names what
├── DamagedFile         it is cut off, or does not hold what its beginning promises
├── UnknownFile         it is not a checkpoint that we know
└── UnsupportedFile     it is recognised, and of a kind that cannot be imported; says why
"""

from __future__ import annotations


class Refused(ValueError):
    """A file that cannot be imported."""


class UnsafeFile(Refused):
    """It asks to run code."""


class DamagedFile(Refused):
    """It is cut off, or does not hold what its beginning promises."""


class UnknownFile(Refused):
    """It is not a checkpoint that we know."""


class UnsupportedFile(Refused):
    """It is recognised, and of a kind that cannot be imported."""
