"""Commands that users type, each a process of its own, and what they take."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from bench.timing import significant


def run_command(command: list[Any]) -> dict[str, float]:
    """Run a command to its end; its seconds, and the most memory that it and its children had.

    Raises:
        RuntimeError: it failed.
    """
    words = [str(word) for word in command]
    print(" ".join(words), file=sys.stderr)
    began = time.perf_counter()
    # To be waited for by hand: the system then says what this one process used.
    process = os.posix_spawn(words[0], words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
    _, status, used = os.wait4(process, 0)
    if status:
        raise RuntimeError(f"{words[1]} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": significant(time.perf_counter() - began),
        "peak_gib": significant(used.ru_maxrss / 2**20),
    }
