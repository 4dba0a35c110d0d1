"""How many editing sessions last, and how long one may say nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import Gauge

from relatent_service.errors import Overloaded, SessionIdle

OPENING_SECONDS = 60.0
"""How long a caller may take to send what opens its session, the upload of its picture included."""
IDLE_SECONDS = 600.0
"""How long it may send no change then."""
RETRY_SECONDS = 5.0
"""When to come again where sessions are too many: nobody knows when one of them ends."""

T = TypeVar("T")


class OpenSessions:
    """The one owner of how many sessions last: an idle one holds no slot, but memory.

    Args:
        most: at a time.
        gauge: tells how many there are.
    """

    def __init__(self, most: int, gauge: Gauge) -> None:
        self._most = most
        self._gauge = gauge
        self._count = 0

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count a session as long as the block lasts.

        Raises:
            Overloaded: there are too many.
        """
        if self._count >= self._most:
            raise Overloaded(
                f"{self._count} editing sessions last, the most this server holds",
                RETRY_SECONDS,
                reason="TOO_MANY_SESSIONS",
            )
        self._count += 1
        self._gauge.set(self._count)
        try:
            yield
        finally:
            self._count -= 1
            self._gauge.set(self._count)


async def within(seconds: float, coming: Awaitable[T], what: str) -> T:
    """Wait for what a session's caller is to send.

    Args:
        seconds: how long at most.
        coming: what is waited for.
        what: the same in words.

    Raises:
        SessionIdle: it did not come.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            return await coming
    except TimeoutError:
        if not limit.expired():
            raise
        message = f"no {what} came for {seconds:.0f} s, and so the session is over; open another"
        raise SessionIdle(message, 1.0) from None
