"""When the attempt at an engine call began that was answered: what came before it was an outage.

Whoever makes an attempt says so here. It is kept by task, as calls are.
"""

from __future__ import annotations

import time
from contextvars import ContextVar

_BEGAN: ContextVar[float] = ContextVar("attempt_began")


def begin_attempt() -> None:
    """An attempt begins; those before it in this task have failed, or are over."""
    _BEGAN.set(time.monotonic())


def attempt_seconds() -> float:
    """Seconds since this task's last attempt began."""
    return time.monotonic() - _BEGAN.get()
