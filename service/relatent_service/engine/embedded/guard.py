"""Starts a program that ends, with all that it started, when its parent ends, however that ends.

    python -I guard.py PARENT PROGRAM [ARGUMENT ...]

PARENT is the process id of the caller, which starts this in a process group of its own. The program gets a
second child, the guard, which kills the group when the caller or the program is gone: Triton's workers do
not always notice by themselves. Should the guard be killed as well, the kernel still ends the program with
the caller.

Files that the program makes are for this user alone. What Triton shares with its workers is pictures of
people, and the library that makes these regions lets everybody read them, whatever the umask: it changes
their mode after it has made them. A filter in the kernel answers that call without doing it.

All this is done here rather than between fork and exec of the caller, where threads make code unsafe.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import struct
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
SECCOMP, FCHMOD = 317, 91
"""Numbers of calls on x86-64, the only machine that the embedded Triton is made for."""
ARCHITECTURE = 0xC000003E
SET_MODE_FILTER, SPEC_ALLOW = 1, 4
"""The flag keeps older kernels from slowing down what has a filter, as if it were there against Spectre."""
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ANSWER_ZERO = 0x7FFF0000, 0x00050000
FILTER = (
    (LOAD, 0, 0, 4),
    (JUMP_IF_EQUAL, 0, 3, ARCHITECTURE),
    (LOAD, 0, 0, 0),
    (JUMP_IF_EQUAL, 0, 1, FCHMOD),
    (RETURN, 0, 0, ANSWER_ZERO),
    (RETURN, 0, 0, ALLOW),
)
"""Operation, how many to skip if so, how many if not, operand."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


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
    keep_to_this_user(libc)
    os.execv(program[0], program)


def guard(watched: list[int]) -> NoReturn:
    """Wait until one of the processes ends; then kill this process group."""
    select.select(watched, [], [])
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("this process is of the group")


def keep_to_this_user(libc: ctypes.CDLL) -> None:
    """Files made from now on are this user's alone; where the kernel has no filters, most of them."""
    os.umask(0o077)
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in FILTER)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.syscall(SECCOMP, SET_MODE_FILTER, SPEC_ALLOW, ctypes.byref(_Program(len(FILTER), code)))


if __name__ == "__main__":
    main()
