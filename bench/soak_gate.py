"""A gate before a server: the one address that others know it by, whichever process stands behind it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

from relatent.core.addresses import LOOPBACK

_BYTES = 65_536
_SOCKET = "unix:"
_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Gate:
    """Passes connections on to a server, or falls silent as a path does on which packets are lost.

    While nobody stands behind it, it closes connections at once.

    Args:
        host: where it listens.

    Attributes:
        address: host:port that it listens at, from when it is entered.
        answer_seconds: by how much each piece of an answer comes late.
        answered_bytes: that it has passed on of answers.
    """

    def __init__(self, host: str = LOOPBACK) -> None:
        self._host = host
        self.address = ""
        self.answer_seconds = 0.0
        self.answered_bytes = 0
        self._behind: str | None = None
        self._silent = False
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, self._host, 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.lead_to(None)
        self.cut()
        await asyncio.gather(*self._serving)
        await self._server.wait_closed()

    def lead_to(self, address: str | None) -> None:
        """Pass the connections that come from now on to host:port or unix:PATH, or close them."""
        self._behind = address

    def cut(self) -> None:
        """Close all connections."""
        for end in self._ends:
            end.transport.abort()

    def fall_silent(self) -> None:
        """Pass nothing on any more, and close nothing: neither side is told."""
        self._silent = True
        for passing in self._passing:
            passing.cancel()

    def speak_again(self) -> None:
        """Pass on what connects from now on. What was connected before stays lost."""
        self._silent = False

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve((reader, writer)))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, front: _End) -> None:
        ends = [front]
        self._ends.add(front[1])
        try:
            if not self._silent and self._behind is None:
                return
            if not self._silent and self._behind is not None:
                with suppress(OSError):
                    ends.append(await _connect(self._behind))
                if len(ends) == 1:
                    return
                self._ends.add(ends[1][1])
            if not self._silent and await self._pass_on(*ends):
                return
            # Whoever gives the connection up on one side is not heard of on the other.
            await asyncio.gather(*(_until_closed(end) for end in ends))
        finally:
            for _, end in ends:
                end.close()  # once what was passed on is sent
            for _, end in ends:
                with suppress(OSError):
                    await end.wait_closed()
                self._ends.discard(end)

    async def _pass_on(self, front: _End, back: _End) -> bool:
        """Pass bytes both ways until either side closes; False where the path falls silent before."""
        passing = asyncio.create_task(self._pass_both_ways(front, back))
        self._passing.add(passing)
        try:
            await asyncio.wait({passing})
        finally:
            self._passing.discard(passing)
        return not passing.cancelled()

    async def _pass_both_ways(self, front: _End, back: _End) -> None:
        ways = [
            asyncio.create_task(self._pass(front[0], back[1], answers=False)),
            asyncio.create_task(self._pass(back[0], front[1], answers=True)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await source.read(_BYTES):
            if answers:
                self.answered_bytes += len(data)
                await asyncio.sleep(self.answer_seconds)
            sink.write(data)
            await sink.drain()


async def _connect(address: str) -> _End:
    if address.startswith(_SOCKET):
        return await asyncio.open_unix_connection(address.removeprefix(_SOCKET))
    return await asyncio.open_connection(*address.rsplit(":", 1))


async def _until_closed(end: _End) -> None:
    """Take in what comes, as a kernel does, until the other side gives up; then close."""
    with suppress(OSError):
        while await end[0].read(_BYTES):
            pass
    end[1].transport.abort()
