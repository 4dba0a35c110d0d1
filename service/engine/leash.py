"""Starts a program that is killed when its parent ends, however that ends.

    python -I leash.py PARENT PROGRAM [ARGUMENT ...]

PARENT is the process id of the caller. The kernel keeps the promise, even when the caller is killed with
SIGKILL. It is made here rather than between fork and exec of the caller, where threads make code unsafe.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent and become the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent ended before it could be watched")
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
