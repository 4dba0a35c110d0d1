"""Many files at a time: none is lost, and one that fails does not stop the others."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Self, TypeVar

from tqdm import tqdm

from relatent.cli.inputs import Item
from relatent.cli.printing import one_line, told
from relatent.client.blocking import Client
from relatent.client.errors import RelatentError
from relatent.client.results import Progress
from relatent.client.resuming import ProgressCallback

T = TypeVar("T")


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What became of a file: a value or an error."""

    item: Item
    value: T | None = None
    error: Exception | None = None


class StepsBar:
    """One progress bar over the refinement steps of many inversions at a time.

    It is drawn on a terminal's standard error, and nowhere else.

    Args:
        title: before the bar.
        count: how many inversions there will be; those to come are taken to be like those begun.
    """

    def __init__(self, title: str, count: int) -> None:
        self._lock = threading.Lock()
        self._count = count
        self._begun = 0
        self._steps_of_begun = 0
        self._bar = tqdm(
            total=0,
            desc=title,
            unit=" steps",
            disable=None,
            dynamic_ncols=True,
            file=sys.stderr,
            leave=False,
            bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f}, {rate_fmt}, {remaining} left",
        )

    def watch(self) -> ProgressCallback:
        """A callback for one more inversion."""
        seen = Progress(0, 0, 0.0, 0.0)

        def report(progress: Progress) -> None:
            nonlocal seen
            with self._lock:
                self._begun += not seen.total_steps
                self._steps_of_begun += progress.total_steps - seen.total_steps
                self._bar.total = self._steps_of_begun * self._count / max(self._begun, 1)
                self._bar.update(progress.steps - seen.steps)
            seen = progress

        return report

    def say(self, text: str) -> None:
        """Write a line above the bar."""
        with self._lock:
            tqdm.write(text, file=sys.stderr)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()


def work_through(
    items: Sequence[Item],
    work: Callable[[Item, ProgressCallback], T],
    *,
    title: str,
    jobs: int,
    client: Client,
) -> list[Outcome[T]]:
    """Work on files at the same time, with a progress bar.

    Args:
        items: the files.
        work: what to do with one; told where to report progress.
        title: of the bar.
        jobs: how many at a time.
        client: closed where the user interrupts, so that calls under way end.

    Returns:
        One outcome a file, in the files' order. Errors of ours and of files are outcomes, all
        others are raised.
    """
    outcomes: dict[int, Outcome[T]] = {}
    with StepsBar(title, len(items)) as bar, ThreadPoolExecutor(max_workers=jobs) as pool:
        futures: dict[Future[T], int] = {
            pool.submit(_work, work, item, bar.watch()): index for index, item in enumerate(items)
        }
        try:
            for future in as_completed(futures):
                index = futures[future]
                outcomes[index] = _outcome(items[index], future)
                if (error := outcomes[index].error) is not None:
                    bar.say(f"relatent: {_named(items[index], error)}")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            client.close()
            raise
    return [outcomes[index] for index in range(len(items))]


def exit_code(outcomes: Sequence[Outcome[T]]) -> int:
    """0 where all went well, 1 where something failed."""
    return int(any(outcome.error is not None for outcome in outcomes))


def _work(work: Callable[[Item, ProgressCallback], T], item: Item, progress: ProgressCallback) -> T:
    if item.error is not None:
        raise item.error
    return work(item, progress)


def _named(item: Item, error: Exception) -> str:
    text, path = told(error), one_line(item.path)
    return text if path in text else f"{path}: {text}"


def _outcome(item: Item, future: Future[T]) -> Outcome[T]:
    try:
        return Outcome(item, value=future.result())
    except (RelatentError, OSError) as error:
        return Outcome(item, error=error)
