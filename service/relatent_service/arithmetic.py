"""How this process computes what it computes itself.

OpenBLAS, which NumPy brings along, has a thread for each core, and those that it needs no longer ask the
system for other work again and again until more comes: what exact edits solve, small as it is, so took half
a core from Triton (three edits a second, beside two inversions that came to half of their pace).
"""

from __future__ import annotations

import os

THREADS = "OPENBLAS_NUM_THREADS"


def use_one_thread() -> None:
    """Have NumPy compute in the thread that asks, unless the environment says otherwise.

    To be called before NumPy is imported.
    """
    os.environ.setdefault(THREADS, "1")
