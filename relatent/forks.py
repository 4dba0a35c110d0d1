"""Whether gRPC runs in a forked process: where it does not, a call would hang, its timeout too."""

from __future__ import annotations

import os
import threading

import grpc

from relatent.errors import ClientStateError

_PROBE_SECONDS, _PATIENCE_SECONDS = 0.01, 10.0
_unchecked = False
_kept: list[object] = []
"""Of probes that failed: what gRPC must not be made to clean up where it does not run."""


def check_fork() -> None:
    """Refuse to begin in a forked process that gRPC does not run in; looks once in each process.

    Raises:
        ClientStateError: it does not run.
    """
    global _unchecked
    if not _unchecked:
        return
    if not _grpc_runs():
        raise ClientStateError(
            "gRPC does not run in this process, which was forked from one that had used it: leave "
            "GRPC_ENABLE_FORK_SUPPORT unset, or start processes by 'spawn' or 'forkserver'"
        )
    _unchecked = False


def _grpc_runs() -> bool:
    """Whether a call that can only time out does so; waited for in a thread, as it may never come back."""
    ended = threading.Event()

    def call() -> None:
        channel = grpc.insecure_channel("unix:/nonexistent", [("grpc.use_local_subchannel_pool", 1)])
        _kept.append(channel)
        future = channel.unary_unary("/none/none").future(b"", timeout=_PROBE_SECONDS, wait_for_ready=True)
        _kept.append(future)
        future.add_done_callback(lambda _: ended.set())

    threading.Thread(target=call, daemon=True).start()
    if runs := ended.wait(_PATIENCE_SECONDS):
        _kept.clear()
    return runs


def _after_fork() -> None:
    global _unchecked
    _unchecked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
