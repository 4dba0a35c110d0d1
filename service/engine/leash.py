"""Starts a program that ends, with all that it started, when its parent ends, however that ends.

    python -I leash.py PARENT PROGRAM [ARGUMENT ...]

PARENT is the process id of the caller, which starts this in a process group of its own. The program gets a
second child, the guard, which kills the group when the caller or the program is gone: Triton's workers do
not always notice by themselves. Should the guard be killed as well, the kernel still ends the program with
the caller. All this is done here rather than between fork and exec of the caller, where threads make code
unsafe.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, leave a guard, and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    watched = [os.pidfd_open(parent), os.pidfd_open(os.getpid())]
    if os.getppid() != parent:
        sys.exit("the parent ended before it could be watched")
    if os.fork() == 0:
        guard(watched)
    os.execv(program[0], program)


def guard(watched: list[int]) -> NoReturn:
    """Wait until one of the processes ends; then kill this process group."""
    select.select(watched, [], [])
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("this process is of the group")


if __name__ == "__main__":
    main()
