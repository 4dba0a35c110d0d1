"""A gate before a service: the one address that clients know it by, whichever process stands behind it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from relatent.core.addresses import LOOPBACK

_BYTES = 65_536


@dataclass(frozen=True, eq=False)
class _Passage:
    """One connection: both its ends, and the task that passes bytes between them."""

    ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter]
    passing: asyncio.Task[None]


class Gate:
    """Passes connections on to a service, or falls silent as a path does on which packets are lost.

    While nobody stands behind it, it closes connections at once.

    Attributes:
        address: host:port that it listens at, from when it is entered.
    """

    def __init__(self) -> None:
        self.address = ""
        self._behind: str | None = None
        self._silent = False
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._passages: set[_Passage] = set()
        self._lost: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, LOOPBACK, 0)
        host, port = self._server.sockets[0].getsockname()[:2]
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.fall_silent()
        await asyncio.gather(*self._serving)
        for end in self._lost:
            end.transport.abort()
        await self._server.wait_closed()

    def lead_to(self, address: str | None) -> None:
        """Pass the connections that come from now on to an address, or close them."""
        self._behind = address

    def fall_silent(self) -> None:
        """Pass nothing on any more, and close nothing: neither side is told."""
        self._silent = True
        for passage in self._passages:
            passage.passing.cancel()
            self._lost.extend(passage.ends)
        self._passages.clear()

    def speak_again(self) -> None:
        """Pass on what connects from now on. What was connected before stays lost."""
        self._silent = False

    def _connected(self, reader: asyncio.StreamReader, front: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, front))
        self._serving.add(serving)
        serving.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, front: asyncio.StreamWriter) -> None:
        if self._silent:
            self._lost.append(front)
            return
        if self._behind is None:
            front.transport.abort()
            return
        try:
            answers, back = await asyncio.open_connection(*self._behind.rsplit(":", 1))
        except OSError:
            front.transport.abort()
            return
        if self._silent:
            self._lost += [front, back]
            return
        passing = asyncio.create_task(_pass_both_ways((reader, front), (answers, back)))
        passage = _Passage((front, back), passing)
        self._passages.add(passage)
        await asyncio.wait({passing})
        if passage in self._passages:  # else it was lost, and must not be closed
            self._passages.discard(passage)
            for end in passage.ends:
                end.close()


_End = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _pass_both_ways(front: _End, back: _End) -> None:
    """Pass bytes on until either end is closed."""
    ways = [asyncio.create_task(_pass(front[0], back[1])), asyncio.create_task(_pass(back[0], front[1]))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pass(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(_BYTES):
        sink.write(data)
        await sink.drain()
