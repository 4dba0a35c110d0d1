"""What tells a server to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from threading import Thread

log = logging.getLogger(__name__)


def stop_signal() -> asyncio.Future[None]:
    """Done at the first signal to stop; the second one ends the process."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[None] = loop.create_future()

    def on_signal() -> None:
        if stop.done():
            os._exit(1)
        stop.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


def stop_with_input(stop: asyncio.Future[None]) -> None:
    """Stop at the end of standard input, which a thread reads, as not every kind of it can be polled."""
    loop = asyncio.get_running_loop()

    def on_end() -> None:
        if not stop.done():
            log.warning("standard input has ended")
            stop.set_result(None)

    def read() -> None:
        with suppress(OSError):  # closed, which is an end as well
            while os.read(0, 4096):
                pass
        with suppress(RuntimeError):  # the loop has ended before
            loop.call_soon_threadsafe(on_end)

    Thread(target=read, name="stdin", daemon=True).start()
