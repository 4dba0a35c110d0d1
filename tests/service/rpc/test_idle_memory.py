"""What is kept of a stream's last message while the next is awaited: nothing, as it may hold a picture."""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

from relatent.v1 import editing_pb2
from relatent_service.access.access import Access
from relatent_service.rpc.edit_stream import _Incoming
from relatent_service.rpc.interceptors import CallInterceptor
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.quotas import Quotas


class Sent(bytes):
    """Bytes that tell when they are let go of."""

    freed = 0

    def __del__(self) -> None:
        Sent.freed += 1


class Parsed:
    """Stands for a message."""

    def __init__(self, _: bytes) -> None:
        pass


async def test_neither_its_bytes_nor_its_message_are_kept_where_it_is_parsed() -> None:
    async def given() -> AsyncIterator[bytes]:
        yield Sent(b"a picture")
        await asyncio.Event().wait()

    interceptor = CallInterceptor(Access().door, Quotas(), Lifecycle(), Metrics(), 1000)
    handler: Any = SimpleNamespace(request_deserializer=Parsed)
    context: Any = SimpleNamespace(invocation_metadata=tuple)
    requests = interceptor._parse_each(handler, given(), context)
    request = await anext(requests)
    known = weakref.ref(request)
    del request
    following = asyncio.ensure_future(anext(requests))
    await asyncio.sleep(0.01)
    assert (known(), Sent.freed) == (None, 1)
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_nor_is_its_message_where_a_session_sorts_it() -> None:
    users = []

    async def requests() -> AsyncIterator[editing_pb2.EditStreamRequest]:
        request = editing_pb2.EditStreamRequest(open=editing_pb2.EditSessionOpening())
        alone = sys.getrefcount(request)
        yield request
        users.append(sys.getrefcount(request) - alone)

    incoming = _Incoming(Metrics())
    reading = asyncio.create_task(incoming.read(requests()))
    await incoming.opening()
    await reading
    assert users == [0]
