from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

import relatent
from relatent.client.retrying import RetryPolicy
from tests.relatent.client.fake import FakeServer

QUICK = RetryPolicy(initial=0.02, maximum=0.1)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.die()


@pytest.fixture
async def second() -> AsyncIterator[FakeServer]:
    fake = FakeServer()
    await fake.start()
    yield fake
    await fake.die()


class Caller:
    """Calls a client's method by name, of whichever kind the client is."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    async def __call__(self, addresses: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        settings = {"retry": QUICK, "timeout": 20.0} | kwargs.pop("client", {})
        if self.kind == "async":
            async with relatent.AsyncClient(addresses, **settings) as client:
                return await getattr(client, method)(*args, **kwargs)
        # The server lives in this loop, so a blocking client must not.
        with relatent.Client(addresses, **settings) as blocking:
            return await asyncio.to_thread(getattr(blocking, method), *args, **kwargs)


@pytest.fixture(params=["blocking", "async"])
def call(request: pytest.FixtureRequest) -> Callable[..., Awaitable[Any]]:
    return Caller(request.param)
