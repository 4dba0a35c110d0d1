"""How this process treats memory that it has done with.

glibc asks the system for each large piece of memory, and gives it back. What is large, and how much it
keeps at the end of a heap, it raises to the largest piece that was ever freed: up to 32 and 64 MiB, for
each of its heaps, of which there are eight a core. So a large picture makes the process larger for good,
and another one again, where another thread happens to decode it. Fixed sizes end that; what they cost is
that the system fills each large piece with zeros anew.
"""

from __future__ import annotations

import ctypes
import os

LARGE_BYTES = 128 * 1024
"""What glibc begins with, for both."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of malloc.h."""
_SAY_OTHERWISE = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


def give_back() -> None:
    """Have the system get back what was freed, unless the environment says otherwise or there is no glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name in os.environ for name in _SAY_OTHERWISE):
        return
    for parameter in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
        mallopt(parameter, LARGE_BYTES)
