"""What a call knows of itself: when it came, when its caller gives up, where its time went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from relatent.core.traffic import TrafficClass

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""Identifies the call at hand in logs and errors; set by `relatent_service.rpc.interceptors`."""
TRAFFIC_CLASS: ContextVar[TrafficClass] = ContextVar("traffic_class", default=TrafficClass.INTERACTIVE)
"""Of the call at hand, for metrics; set as soon as it is known."""

ANSWER_SHARE, ANSWER_SECONDS = 0.05, 0.2
"""What is kept back of the time left, at most, so that an error still reaches the caller."""


@dataclass
class Call:
    """One call on its way through the service.

    Attributes:
        deadline: when the caller gives up, by the monotonic clock; None for never.
        arrived: when it came, by the same clock.
        traffic_class: who waits for it.
        queue_seconds: time spent waiting for a slot, or for an equal call's result.
        inference_seconds: time spent waiting for the engine.
        turn_seconds: time spent waiting for its turn at the engine.
        steps: of refinement that the engine did for it, and samples that it took through other graphs, those
            included that it had begun when the call gave up.
        is_answering: whether all that it asks of the engine now is its answer, for which it waits no more.
    """

    deadline: float | None = None
    arrived: float = field(default_factory=time.monotonic)
    traffic_class: TrafficClass = TrafficClass.INTERACTIVE
    queue_seconds: float = 0.0
    inference_seconds: float = 0.0
    turn_seconds: float = 0.0
    steps: int = 0
    is_answering: bool = False

    def remaining(self) -> float | None:
        """Seconds until the caller gives up, or None for no end."""
        return None if self.deadline is None else self.deadline - time.monotonic()

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Ask the engine for the answer to what was done: little, and all was in vain without it."""
        self.is_answering = True
        try:
            yield
        finally:
            self.is_answering = False

    def elapsed(self) -> float:
        """Seconds since the call came."""
        return time.monotonic() - self.arrived

    def engine_seconds(self) -> float:
        """Seconds at the engine and on the way to it, which it shared with others."""
        return self.inference_seconds + self.turn_seconds

    def engine_timeout(self) -> float | None:
        """Seconds to wait for the engine at most, such that a failure can still be told; None for no end."""
        remaining = self.remaining()
        if remaining is None:
            return None
        return max(0.0, remaining - min(ANSWER_SECONDS, ANSWER_SHARE * remaining))
