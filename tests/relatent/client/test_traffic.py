"""Whoever waits, or nobody, is said with every call that asks for work, by either client."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest

import relatent
from relatent import TrafficClass
from relatent.v1 import types_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer
from tests.relatent.client.holding import holding

PIXELS = np.full((8, 8, 3), 7, np.uint8)
CODE = relatent.LatentCode(np.full(fake.SHAPE, 0.5, np.float32), fake.PACK, fake.REVISION)
CALLS: dict[str, tuple[Any, ...]] = {
    "invert": (PIXELS,),
    "restore": (PIXELS, "denoise"),
    "edit": (CODE, [relatent.Move("smile", 1.0)]),
    "diffuse": (PIXELS, relatent.Within(PIXELS), PIXELS),
    "read": (PIXELS,),
    "synthesize": ([CODE],),
    "sample": ([1],),
}
NUMBERS = {
    None: types_pb2.TRAFFIC_CLASS_UNSPECIFIED,
    "interactive": types_pb2.TRAFFIC_CLASS_INTERACTIVE,
    "bulk": types_pb2.TRAFFIC_CLASS_BULK,
    TrafficClass.BULK: types_pb2.TRAFFIC_CLASS_BULK,
}


@pytest.mark.parametrize("method", sorted(CALLS))
async def test_a_call_says_the_class_of_its_client(call: Call, server: FakeServer, method: str) -> None:
    for asked, number in NUMBERS.items():
        await call(server.address, method, *CALLS[method], client={"traffic_class": asked})
        assert server.requests[-1].traffic_class == number


async def test_so_do_an_estimate_of_one_and_the_parts_of_an_edit(call: Call, server: FakeServer) -> None:
    bulk = {"traffic_class": "bulk"}
    await call(server.address, "estimate", relatent.PlannedCall.invert(steps=1), client=bulk)
    assert server.requests.pop().invert.traffic_class == types_pb2.TRAFFIC_CLASS_BULK
    await call(server.address, "edit", PIXELS, [], client=bulk)
    assert [request.traffic_class for request in server.requests] == [types_pb2.TRAFFIC_CLASS_BULK] * 2


async def test_it_is_said_again_where_a_call_goes_on_elsewhere(
    call: Call, server: FakeServer, second: FakeServer
) -> None:
    async def breaks_off(request: Any, context: Any) -> Any:
        yield fake.progress(0)
        yield fake.progress(4, checkpoint=fake.checkpoint(4))
        await fake.abort(context, grpc.StatusCode.UNAVAILABLE, "gone")

    server.scripts = [breaks_off]
    both = [server.address, second.address]
    await call(both, "invert", PIXELS, client={"traffic_class": "bulk"})
    assert second.requests[0].traffic_class == types_pb2.TRAFFIC_CLASS_BULK


@pytest.mark.parametrize("kind", ["blocking", "async"])
async def test_a_session_says_it_as_it_is_opened(kind: str, server: FakeServer) -> None:
    openings: list[Any] = []

    async def script(requests: Any, context: Any) -> Any:
        async for request in requests:
            if request.HasField("open"):
                openings.append(request.open)
                yield fake.opened()

    server.scripts = [script]
    async with holding(kind, server.address, CODE, client={"traffic_class": "bulk"}):
        assert [opening.traffic_class for opening in openings] == [types_pb2.TRAFFIC_CLASS_BULK]


async def test_a_client_of_another_class_shares_its_connections_and_ends_with_it(server: FakeServer) -> None:
    async with relatent.AsyncClient(server.address) as client:
        await client.in_class("bulk").sample([1])
        await client.sample([1])
        other = client.in_class("bulk")
    assert [request.traffic_class for request in server.requests] == [types_pb2.TRAFFIC_CLASS_BULK, 0]
    with pytest.raises(relatent.ClientStateError):
        await other.sample([1])
    with relatent.Client(server.address) as blocking:
        also = blocking.in_class(TrafficClass.BULK)
        await asyncio.to_thread(also.sample, [1])
    assert server.requests[-1].traffic_class == types_pb2.TRAFFIC_CLASS_BULK
    with pytest.raises(relatent.ClientStateError):
        also.sample([1])


@pytest.mark.parametrize("make", [relatent.Client, relatent.AsyncClient])
def test_a_class_that_is_none_is_refused(make: Any) -> None:
    with pytest.raises(relatent.InputError, match=r"traffic_class: expected interactive or bulk, got 'slow'"):
        make("127.0.0.1:1", traffic_class="slow")
    with pytest.raises(relatent.InputError, match="traffic_class"):
        make("127.0.0.1:1").in_class("")
