"""Waits for gRPC's own operations without breaking them off.

gRPC's asyncio half frees what it holds for an operation, such as reading a stream's next request, when
whoever waits for it is told of its end. Where that one is cancelled it never does, and some hundred bytes
stay for good (https://github.com/grpc/grpc/issues/43360). Every operation ends with its call, so it may as
well be awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

T = TypeVar("T")

_under_way: set[asyncio.Future[Any]] = set()
"""Those that wait, whether or not anybody waits for them: asyncio itself remembers none."""


async def unbroken(operation: Awaitable[T]) -> T:
    """What comes of an operation; it goes on where the one who waits is cancelled.

    Raises:
        Exception: the operation's own.
    """
    future = asyncio.ensure_future(operation)
    _under_way.add(future)
    future.add_done_callback(_ended)
    return await asyncio.shield(future)


def _ended(future: asyncio.Future[Any]) -> None:
    _under_way.discard(future)
    if not future.cancelled():
        future.exception()  # else asyncio complains that nobody has asked
