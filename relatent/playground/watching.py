"""An inversion that one watches: reports as they come, and at the end its result."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeAlias, TypeVar

from relatent.client.errors import RelatentError
from relatent.client.results import Progress
from relatent.client.resuming import ProgressCallback

T = TypeVar("T")

Refinement: TypeAlias = Callable[[ProgressCallback], T]
"""Refines, and tells its progress."""


class _NobodyWatchesError(RelatentError):
    """Ends a call whose watcher went away."""


def watched(refine: Refinement[T]) -> Iterator[Progress | T]:
    """Run a refinement in a thread of its own.

    Args:
        refine: calls the client, and passes it the callback it is given.

    Yields:
        Each report, and last the result. Whoever closes the iterator ends the call.

    Raises:
        RelatentError: whatever the client raised.
    """
    news: queue.SimpleQueue[Progress | T | BaseException] = queue.SimpleQueue()
    gone = threading.Event()

    def tell(progress: Progress) -> None:
        if gone.is_set():
            raise _NobodyWatchesError("nobody watches this any more")
        news.put(progress)

    def work() -> None:
        try:
            news.put(refine(tell))
        except BaseException as error:
            news.put(error)

    threading.Thread(target=work, name="relatent-refining", daemon=True).start()
    try:
        while True:
            told = news.get()
            if isinstance(told, BaseException):
                raise told
            yield told
            if not isinstance(told, Progress):
                return
    finally:
        gone.set()
