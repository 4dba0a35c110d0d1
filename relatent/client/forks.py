"""Whether gRPC runs in a forked process.

It does where it was idle when the process was forked. Forked amid a call, gRPC may crash the new process at
its next call; and where its support for forks is off, a call hangs, its timeout too. On a busy machine gRPC's
own handlers may hang within fork() itself (seen with 1.81, rarely), before any line of ours runs in the new
process: only 'spawn' and 'forkserver' keep clear of that.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from relatent.client.channels import open_channel
from relatent.client.errors import ClientStateError

_PROBE_SECONDS, _PROBE_BYTES, _PATIENCE_SECONDS = 0.01, 1024, 10.0
_unchecked = False
_forked_amid_a_call = False
_under_way = 0
_lock = threading.Lock()


def check_fork() -> None:
    """Refuse to begin in a forked process that gRPC does not run in; looks once in each process.

    Raises:
        ClientStateError: it does not run.
    """
    global _unchecked
    if _forked_amid_a_call:
        raise ClientStateError(
            "this process was forked while a call of a Client was under way in another thread, and gRPC may "
            "crash in it: fork between calls, or start processes by 'spawn' or 'forkserver'"
        )
    if not _unchecked:
        return
    if not _grpc_runs():
        raise ClientStateError(
            "gRPC does not run in this process, which was forked from one that had used it: leave "
            "GRPC_ENABLE_FORK_SUPPORT unset, or start processes by 'spawn' or 'forkserver'"
        )
    _unchecked = False


@contextmanager
def call_under_way() -> Iterator[None]:
    """Count a call, so that a process forked amid it knows."""
    global _under_way
    with _lock:
        _under_way += 1
    try:
        yield
    finally:
        with _lock:
            _under_way = max(0, _under_way - 1)  # in a process forked from within a call there is none


def keep_for_good(inherited: object) -> None:
    """Never let go of an object, not even as Python ends: gRPC would clean up behind it, and may hang."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


def _grpc_runs() -> bool:
    """Whether a call that can only time out does so; waited for in a thread, as it may never come back."""
    ended = threading.Event()
    made: list[object] = []

    def call() -> None:
        channel = open_channel("unix:/nonexistent", _PROBE_BYTES)
        made.append(channel)
        future = channel.unary_unary("/none/none").future(b"", timeout=_PROBE_SECONDS, wait_for_ready=True)
        made.append(future)
        future.add_done_callback(lambda _: ended.set())

    threading.Thread(target=call, daemon=True).start()
    if not ended.wait(_PATIENCE_SECONDS):
        keep_for_good(made)
        return False
    return True


def _after_fork() -> None:
    global _unchecked, _forked_amid_a_call, _under_way, _lock
    _unchecked = True
    _forked_amid_a_call = _forked_amid_a_call or _under_way > 0
    # Of threads that are not here; one of them may have held the lock.
    _under_way, _lock = 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
