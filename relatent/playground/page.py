"""What every tab is built with: the service, its pack, and events whose failures become sentences."""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.errors import RelatentError
from relatent.playground.connection import Connection
from relatent.playground.sentences import OURS, sentence

logger = logging.getLogger("relatent.playground")


@dataclass(frozen=True)
class Page:
    """What a tab is built with.

    Attributes:
        connection: to the service.
        pack: what the page is about.
        examples: files of pictures to click.
        notice: where sentences about what went wrong appear.
    """

    connection: Connection
    pack: PackInfo
    examples: tuple[Path, ...]
    notice: gr.HTML

    @property
    def client(self) -> Client:
        """To call the service with, from any thread."""
        return self.connection.client

    def on(
        self,
        triggers: Any,
        work: Callable[..., Any],
        inputs: Sequence[Any] = (),
        outputs: Sequence[Any] = (),
        **options: Any,
    ) -> Any:
        """Have something done at an event; what goes wrong appears as a sentence, and changes nothing else.

        Args:
            triggers: such as `button.click`, or several.
            work: from the inputs' values to the outputs' values: one value for one output, a tuple for
                several, None for none; or yields those. It lets errors of the client's through.
            inputs: components.
            outputs: components.
            **options: of `gr.on`.

        Returns:
            What `cancels` of other events takes, and `.then`.
        """
        told = _told_stream if inspect.isgeneratorfunction(work) else _told
        options.setdefault("show_progress", "hidden")
        return gr.on(
            triggers,
            told(work, len(outputs)),
            inputs=list(inputs),
            outputs=[*outputs, self.notice],
            api_visibility="private",
            **options,
        )


def notice(text: str) -> str:
    """A sentence as HTML that screen readers tell at once; an empty one shows nothing."""
    return f'<p class="notice" role="alert">{html.escape(text)}</p>' if text else ""


def _told(work: Callable[..., Any], count: int) -> Callable[..., tuple[Any, ...]]:
    @functools.wraps(work)
    def told(*args: Any) -> tuple[Any, ...]:
        try:
            return (*_values(work(*args), count), notice(""))
        except Exception as error:
            return (*_unchanged(count), notice(_explained(error)))

    return told


def _told_stream(work: Callable[..., Iterator[Any]], count: int) -> Callable[..., Iterator[tuple[Any, ...]]]:
    @functools.wraps(work)
    def told(*args: Any) -> Iterator[tuple[Any, ...]]:
        try:
            for values in work(*args):
                yield (*_values(values, count), notice(""))
        except Exception as error:
            yield (*_unchanged(count), notice(_explained(error)))

    return told


def _values(values: Any, count: int) -> tuple[Any, ...]:
    if count == 0:
        return ()
    return (values,) if count == 1 else tuple(values)


def _unchanged(count: int) -> tuple[Any, ...]:
    return tuple(gr.skip() for _ in range(count))


def _explained(error: Exception) -> str:
    if isinstance(error, RelatentError):
        return sentence(error)
    logger.error("a fault of the page's own", exc_info=error)
    return OURS
