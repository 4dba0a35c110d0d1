"""How this process treats memory that it has done with.

glibc asks the system for each large piece of memory, and gives it back. What is large, and how much it
keeps at the end of a heap, it raises to the largest piece that was ever freed: up to 32 and 64 MiB, for
each of its heaps, of which there are eight a core. So a large picture makes the process larger for good,
and another one again, where another thread happens to decode it. Fixed sizes end that; what they cost is
that the system fills each large piece with zeros anew.

Small pieces stay in the heap that they were asked of, and each thread that comes has one of its own. With few
heaps what one thread has done with is there for the others.
"""

from __future__ import annotations

import ctypes
import os

LARGE_BYTES = 128 * 1024
"""What glibc begins with, for both."""
HEAPS = 2
"""Of all threads; few of them ask for memory at the same time."""
_MALLOPT = {
    "MALLOC_TRIM_THRESHOLD_": (-1, LARGE_BYTES),
    "MALLOC_MMAP_THRESHOLD_": (-3, LARGE_BYTES),
    "MALLOC_ARENA_MAX": (-8, HEAPS),
}
"""`M_TRIM_THRESHOLD`, `M_MMAP_THRESHOLD` and `M_ARENA_MAX` of malloc.h, by what says otherwise."""


def give_back() -> None:
    """Have the system get back what was freed, unless the environment says otherwise or there is no glibc.

    It is to be called before there are threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or "GLIBC_TUNABLES" in os.environ:
        return
    for name, setting in _MALLOPT.items():
        if name not in os.environ:
            mallopt(*setting)
