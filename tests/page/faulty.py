"""A service in a thread that refuses as a real one does, for as long as a test wants."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.rpc import error_details_pb2

from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer, Script, retry_info


def refuses(code: grpc.StatusCode, reason: str, message: str, seconds: float) -> Script:
    """A call that is refused for a reason, and asked to come again."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain="relatent")
    return fake.fails(code, message, info, retry_info(seconds))


@contextmanager
def refusing(address: str, script: Script) -> Iterator[FakeServer]:
    """Lists a pack at an address, and does with all else as the script says."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake service")
    thread.start()

    async def started() -> FakeServer:
        server = FakeServer()
        server.scripts.append(script)
        await server.start(address)
        return server

    try:
        server = asyncio.run_coroutine_threadsafe(started(), loop).result(10)
        try:
            yield server
        finally:
            asyncio.run_coroutine_threadsafe(server.die(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
