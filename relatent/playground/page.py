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
from gradio.blocks import Block

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.errors import RelatentError
from relatent.playground.connection import Connection
from relatent.playground.downloads import Downloads
from relatent.playground.sentences import OURS, sentence

logger = logging.getLogger("relatent.playground")

Work = Callable[..., Any]
Values = dict[Block, Any]


@dataclass(frozen=True)
class Page:
    """What a tab is built with.

    Attributes:
        connection: to the service.
        pack: what the page is about.
        examples: files of pictures to click.
        downloads: what visitors may take home.
        notice: where sentences about what went wrong appear.
    """

    connection: Connection
    pack: PackInfo
    examples: tuple[Path, ...]
    downloads: Downloads
    notice: gr.HTML

    @property
    def client(self) -> Client:
        """To call the service with, from any thread."""
        return self.connection.client

    def on(
        self,
        triggers: Any,
        work: Work,
        inputs: Sequence[Any] = (),
        outputs: Sequence[Block] = (),
        **options: Any,
    ) -> Any:
        """Have something done at an event; what goes wrong appears as a sentence, and changes nothing else.

        Args:
            triggers: such as `button.click`, or several.
            work: from the inputs' values to the outputs' values: one value for one output, a tuple for
                several, or a dict of those that change; or yields those. It lets the client's errors through.
            inputs: components.
            outputs: components.
            **options: of `gr.on`.

        Returns:
            What `cancels` of other events takes, and `.then`.
        """
        changed = [*outputs, self.notice]
        told = _told_stream if inspect.isgeneratorfunction(work) else _told
        options.setdefault("show_progress", "hidden")
        return gr.on(
            triggers,
            told(work, changed),
            inputs=list(inputs),
            outputs=changed,
            api_visibility="private",
            **options,
        )


def notice(text: str) -> str:
    """A sentence as HTML that screen readers tell at once; an empty one shows nothing."""
    return f'<p class="notice" role="alert">{html.escape(text)}</p>' if text else ""


def _told(work: Work, changed: Sequence[Block]) -> Callable[..., Values]:
    @functools.wraps(work)
    def told(*args: Any) -> Values:
        try:
            return _values(work(*args), changed)
        except Exception as error:
            return {changed[-1]: notice(_explained(error))}

    return told


def _told_stream(work: Work, changed: Sequence[Block]) -> Callable[..., Iterator[Values]]:
    @functools.wraps(work)
    def told(*args: Any) -> Iterator[Values]:
        try:
            for values in work(*args):
                yield _values(values, changed)
        except Exception as error:
            yield {changed[-1]: notice(_explained(error))}

    return told


def _values(made: Any, changed: Sequence[Block]) -> Values:
    """What is to change, the notice included, which then says nothing."""
    *outputs, told = changed
    if not isinstance(made, dict):
        made = dict(zip(outputs, (made,) if len(outputs) == 1 else made or (), strict=True))
    return {**made, told: notice("")}


def _explained(error: Exception) -> str:
    if isinstance(error, RelatentError):
        return sentence(error)
    logger.error("a fault of the page's own", exc_info=error)
    return OURS
