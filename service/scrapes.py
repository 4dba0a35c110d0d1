"""The port where Prometheus scrapes.

Connections are served by one loop, which reads requests and writes answers as their peers allow; a thread is
taken only for the moment in which an answer is made. So slow peers hold neither threads nor each other up.
"""

from __future__ import annotations

import socket
import threading

from prometheus_client import CollectorRegistry, make_wsgi_app
from waitress import wasyncore
from waitress.server import create_server

MOST_CONNECTIONS = 200
"""More wait to be accepted."""
SILENCE_SECONDS = 10
"""A connection on which nothing moves for so long is closed."""
LOOK_SECONDS = 0.5


class ScrapeServer:
    """Answers scrapes of a registry, from a thread.

    Args:
        registry: what is told.
        host: to listen on.
        port: the same; 0 lets the system choose.

    Attributes:
        port: the one that it listens on.

    Raises:
        OSError: the port cannot be had.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
        self.port = int(listening.getsockname()[1])
        self._sockets: dict[int, object] = {}
        self._server = create_server(
            make_wsgi_app(registry),
            map=self._sockets,
            sockets=[listening],
            threads=1,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=SILENCE_SECONDS,
            cleanup_interval=1,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scrapes", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port and every connection; returns when that is done."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._server.pull_trigger()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            wasyncore.loop(timeout=LOOK_SECONDS, map=self._sockets, use_poll=True, count=1)
        self._server.task_dispatcher.shutdown()
        wasyncore.close_all(self._sockets)
