"""gRPC's operations end by themselves, whoever waited for them."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from relatent.v1 import editing_pb2 as v1
from relatent_service.rpc import unbroken as module
from relatent_service.rpc.unbroken import unbroken


async def test_an_operation_outlives_the_one_who_waits_for_it_and_nobody_complains_of_its_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    end = asyncio.Event()

    async def operation() -> None:
        await end.wait()
        raise ValueError("ended")

    waiting = asyncio.create_task(unbroken(operation()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (left,) = module._under_way
    end.set()
    await asyncio.wait({left})
    assert isinstance(left.exception(), ValueError)
    await asyncio.sleep(0)
    assert not module._under_way
    assert not caplog.records


async def test_its_result_and_its_error_are_those_of_the_one_who_waits() -> None:
    async def operation(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 3

    assert await unbroken(operation(None)) == 3
    with pytest.raises(KeyError):
        await unbroken(operation(KeyError()))


async def test_a_session_that_is_refused_amid_its_requests_leaves_none_of_them_waiting(running: Any) -> None:
    goes_on = asyncio.Event()

    async def requests() -> Any:
        yield v1.EditStreamRequest(open=v1.EditSessionOpening())
        await goes_on.wait()

    call = running.editing.EditStream(requests(), timeout=20)
    with pytest.raises(grpc.RpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await running.until(lambda: running.server.lifecycle.running == 0)
    await running.until(lambda: not module._under_way)
    goes_on.set()
