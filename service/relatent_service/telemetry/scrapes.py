"""The port where Prometheus scrapes.

A scrape is one short request and one answer on a connection of its own, all within a few seconds and a few
kilobytes; whatever asks for more is hung up on. So slow peers hold neither threads nor memory nor, for long,
each other's places. When there are no file descriptors left, asyncio waits with accepting.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

SECONDS = 10.0
"""Of a connection, from its request's first byte to its answer's last one."""
HANDSHAKE_SECONDS = 3.0
"""Of TLS, before it."""
MOST_CONNECTIONS = 100
"""Those beyond are hung up on at once."""
BACKLOG = 8
"""Connections that wait to be accepted. Where there are no file descriptors, asyncio says so as many times
a second."""
MOST_BYTES = 8192
"""Of a request."""
PATHS = ("/", "/metrics")
_END = b"\r\n\r\n"


class ScrapeServer:
    """Answers scrapes of a registry.

    Args:
        registry: what is told.

    Attributes:
        port: the one that it listens on; 0 before `start`.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.port = 0
        self._registry = registry
        self._server: asyncio.Server | None = None
        self._connections = 0

    async def start(self, host: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """Listen.

        Args:
            host: by name or address.
            port: 0 lets the system choose.
            context: of TLS; None: without.

        Raises:
            OSError: the port cannot be had.
        """
        self._server = await asyncio.start_server(
            self._serve,
            host,
            port,
            limit=MOST_BYTES,
            backlog=BACKLOG,
            ssl=context,
            ssl_handshake_timeout=None if context is None else HANDSHAKE_SECONDS,
            ssl_shutdown_timeout=None if context is None else HANDSHAKE_SECONDS,
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Let go of the port; connections end by themselves."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                if self._connections <= MOST_CONNECTIONS:
                    async with asyncio.timeout(SECONDS):
                        writer.write(self._answer(await reader.readuntil(_END)))
                        await writer.drain()
                        writer.close()
                        await writer.wait_closed()
        finally:
            self._connections -= 1
            writer.transport.abort()  # what is not sent by now never will be

    def _answer(self, request: bytes) -> bytes:
        line, *headers = request.decode("latin-1").split("\r\n")
        method, path, *_ = [*line.split(), "", ""]
        if method not in ("GET", "HEAD"):
            return _response("405 Method Not Allowed", "text/plain", b"expected GET\n")
        if path.partition("?")[0] not in PATHS:
            return _response("404 Not Found", "text/plain", b"expected /metrics\n")
        encoder, kind = choose_encoder(_accepted(headers))
        body = encoder(self._registry)
        return _response("200 OK", kind, body, tell=method == "GET")


def _accepted(headers: list[str]) -> str:
    fields = (header.partition(":")[::2] for header in headers)
    return ",".join(value.strip() for name, value in fields if name.strip().lower() == "accept")


def _response(status: str, kind: str, body: bytes, *, tell: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    )
    return head.encode() + b"\r\n" + (body if tell else b"")
