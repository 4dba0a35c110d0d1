"""A client's own certificate, renewed on disk while it calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

import relatent
from relatent.client import async_transport, blocking_transport, channels
from tests.fixtures.certificates import Authority
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer
from tests.relatent.client.holding import PIXELS, QUICK

SECONDS = 20


class Renewing:
    """A client of a kind, whose certificate this test renews, before a server that tells who calls."""

    def __init__(self, kind: str, folder: Path, server: FakeServer) -> None:
        self._authority = Authority(folder / "ca")
        self._kind, self._server = kind, server
        self.issued = self._authority.issue("client")
        self.client: Any = None

    async def start(self) -> None:
        await self._server.start(credentials=self._authority.asks())
        address = self._server.address.replace("127.0.0.1", "localhost")
        tls = relatent.Tls(self._authority.path, self.issued.certificate, self.issued.key)
        make = relatent.Client if self._kind == "blocking" else relatent.AsyncClient
        self.client = make(address, tls=tls, timeout=SECONDS, retry=QUICK)

    async def call(self, method: str, *words: Any, **fields: Any) -> Any:
        """Call the client; a blocking one in a thread, as the server lives in this loop."""
        if self._kind == "blocking":
            return await asyncio.to_thread(getattr(self.client, method), *words, **fields)
        return await getattr(self.client, method)(*words, **fields)

    async def shown(self) -> bytes:
        """The certificate that a new call shows."""
        await self.call("pack")
        return self._server.shown[-1]

    def renew(self) -> bytes:
        """Write a new certificate and its key, one after the other; the certificate."""
        self._authority.issue("client")
        return self.issued.certificate.read_bytes()

    async def close(self) -> None:
        await self.call("close")


@pytest.fixture
async def renewing(kind: str, tmp_path: Path) -> AsyncIterator[Renewing]:
    server = FakeServer()
    made = Renewing(kind, tmp_path, server)
    await made.start()
    yield made
    await made.close()
    await server.die()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every channel that clients have opened."""
    found: list[Any] = []

    def kept(make: Callable[..., Any]) -> Callable[..., Any]:
        def make_and_keep(*words: Any) -> Any:
            found.append(make(*words))
            return found[-1]

        return make_and_keep

    monkeypatch.setattr(blocking_transport, "open_channel", kept(channels.open_channel))
    monkeypatch.setattr(async_transport, "open_async_channel", kept(channels.open_async_channel))
    return found


def is_closed(channel: Any) -> bool:
    try:
        if isinstance(channel, grpc.aio.Channel):
            return channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
        channel.unary_unary("/none/none")(b"", timeout=0.01)
    except (ValueError, grpc.aio.UsageError):
        return True
    except grpc.RpcError:
        pass
    return False


async def test_new_calls_show_the_renewed_certificate_and_one_under_way_goes_on_to_its_end(
    renewing: Renewing, opened: list[Any]
) -> None:
    server = renewing._server
    first = renewing.issued.certificate.read_bytes()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def waits(request: Any, context: Any) -> AsyncIterator[Any]:
        begun.set()
        await may_end.wait()
        async for event in fake.inverts(request, context):
            yield event

    server.scripts = [waits, fake.nothing]
    under_way = asyncio.create_task(renewing.call("invert", PIXELS))
    await asyncio.wait_for(begun.wait(), SECONDS)
    second = renewing.renew()
    assert await renewing.shown() == second != first
    assert len(opened) == 2
    assert not is_closed(opened[0])

    may_end.set()
    assert (await under_way).steps == 20
    assert server.shown == [first, second]
    assert [is_closed(channel) for channel in opened] == [True, False]
    assert await renewing.shown() == second
    assert len(opened) == 2


async def test_no_call_of_many_is_lost_whenever_the_certificate_is_renewed(
    renewing: Renewing, caplog: pytest.LogCaptureFixture
) -> None:
    server, ends = renewing._server, False

    async def calls() -> int:
        done = 0
        while not ends:
            await renewing.call("pack")
            done += 1
        return done

    with caplog.at_level(logging.WARNING, "relatent"):
        callers = [asyncio.create_task(calls()) for _ in range(6)]
        for _ in range(20):
            new = renewing.renew()
            async with asyncio.timeout(SECONDS):
                while server.shown[-1:] != [new]:
                    await asyncio.sleep(0)
        ends = True
        assert sum(await asyncio.gather(*callers)) > 20
    # Not by trying again.
    assert not [told for told in caplog.messages if "trying on" in told]


async def test_files_that_cannot_be_used_leave_it_as_it_was_and_are_told_once(
    renewing: Renewing, caplog: pytest.LogCaptureFixture
) -> None:
    first = renewing.issued.certificate.read_bytes()
    assert await renewing.shown() == first
    with caplog.at_level(logging.WARNING, "relatent"):
        renewing.issued.key.write_bytes(renewing._authority.issue("other").key.read_bytes())
        assert [await renewing.shown() for _ in range(3)] == [first] * 3
        (told,) = caplog.messages
        assert told.startswith("the credentials of TLS stay as they were: tls.key: ")
        assert "does not belong to the certificate" in told
        renewing.issued.key.unlink()
        assert await renewing.shown() == first
        assert "No such file" in caplog.messages[-1]
        assert len(caplog.messages) == 2
    assert await renewing.shown() == first
    second = renewing.renew()
    assert await renewing.shown() == second


async def test_a_client_whose_files_went_before_it_first_called_says_so(renewing: Renewing) -> None:
    renewing.issued.key.unlink()
    with pytest.raises(relatent.InputError, match=r"tls.key: .*No such file"):
        await renewing.call("pack")
    second = renewing.renew()
    assert await renewing.shown() == second
