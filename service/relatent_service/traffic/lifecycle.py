"""The server's life: starting, serving, draining, stopping; and the calls under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from relatent_service.errors import NotReady

STARTING_RETRY_SECONDS = 2.0
DRAINING_RETRY_SECONDS = 1.0


class State(Enum):
    """Where the server is in its life."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    """No new calls; those under way finish."""
    STOPPING = "stopping"
    """Those still under way end at their next chunk."""


def shutting_down() -> NotReady:
    """What calls are told that come, or wait, while the server drains."""
    return NotReady("this server is shutting down", DRAINING_RETRY_SECONDS, reason="DRAINING")


class Lifecycle:
    """The one owner of the server's state, draining above all, and of the count of calls under way."""

    def __init__(self) -> None:
        self._state = State.STARTING
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = asyncio.Event()
        self.why_not_ready = "the engine is starting"

    @property
    def state(self) -> State:
        """Where the server is in its life."""
        return self._state

    @property
    def running(self) -> int:
        """Calls under way."""
        return self._running

    @property
    def is_draining(self) -> bool:
        """Whether no more calls are taken, and it ends with those that there are."""
        return self._state in (State.DRAINING, State.STOPPING)

    def serve(self) -> None:
        """Every graph is warm: take calls, unless the end has begun."""
        if self._state is State.STARTING:
            self._state = State.SERVING

    def drain(self) -> None:
        """Take no more calls."""
        self._state = State.DRAINING
        self._draining.set()

    def stop(self) -> None:
        """End the calls under way at their next chunk."""
        self._state = State.STOPPING
        self._draining.set()

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count a call while it runs.

        Raises:
            NotReady: the server takes no calls now.
        """
        if self._state is State.STARTING:
            raise NotReady(f"not ready: {self.why_not_ready}", STARTING_RETRY_SECONDS)
        if self.is_draining:
            raise shutting_down()
        self._running += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._running -= 1
            if self._running == 0:
                self._idle.set()

    def check_not_stopping(self) -> None:
        """Called between chunks by work that can be taken up elsewhere.

        Raises:
            NotReady: the server is about to end.
        """
        if self._state is State.STOPPING:
            raise NotReady(
                "this server is shutting down; go on from the last checkpoint elsewhere",
                DRAINING_RETRY_SECONDS,
                reason="DRAINING",
            )

    async def until_draining(self) -> None:
        """Wait until no more calls are taken: for calls that would last for as long as they are let."""
        await self._draining.wait()

    async def idle(self, timeout: float) -> bool:
        """Wait until no call is under way; whether that came within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
