"""What every tab is built with: the service, its pack, and events whose failures become sentences."""

from __future__ import annotations

import functools
import html
import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.blocks import Block

from relatent.client.blocking import Client
from relatent.client.catalog import PackInfo
from relatent.client.errors import RelatentError
from relatent.playground.connection import Connection
from relatent.playground.downloads import Downloads
from relatent.playground.notices import Notices
from relatent.playground.sentences import OURS, sentence

logger = logging.getLogger("relatent.playground")

Work = Callable[..., Any]
W = TypeVar("W", bound=Work)
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
        notices: a visitor's `Notices`.
        tabs: the tabs, of which one is shown.
        taken: what a visitor last took to the first screen, a `TakenPicture`.
    """

    connection: Connection
    pack: PackInfo
    examples: tuple[Path, ...]
    downloads: Downloads
    notice: gr.HTML
    notices: gr.State
    tabs: gr.Tabs
    taken: gr.State

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
            inputs=[self.notices, *inputs],
            outputs=changed,
            api_visibility="private",
            **options,
        )

    def follow(self, triggers: Any, work: Work, inputs: Sequence[gr.State], outputs: Sequence[Block]) -> None:
        """Have components look as states say: work that cannot fail, and leaves every notice where it is.

        Args:
            triggers: changes of states.
            work: from the states' values to the outputs' values.
            inputs: states.
            outputs: components.
        """
        gr.on(
            triggers,
            work,
            inputs=list(inputs),
            outputs=list(outputs),
            show_progress="hidden",
            trigger_mode="always_last",
            api_visibility="private",
        )


def notice(text: str) -> str:
    """A sentence as HTML that screen readers tell at once; an empty one shows nothing."""
    return f'<p class="notice" role="alert">{html.escape(text)}</p>' if text else ""


def _told(work: Work, changed: Sequence[Block]) -> Callable[..., Values]:
    @_with_notices(work)
    def told(notices: Notices, *args: Any) -> Values:
        event = notices.begin()
        try:
            return _values(work(*args), changed, notices.may_clear(event))
        except Exception as error:
            notices.tell()
            return {changed[-1]: notice(_explained(error))}

    return told


def _told_stream(work: Work, changed: Sequence[Block]) -> Callable[..., Iterator[Values]]:
    @_with_notices(work)
    def told(notices: Notices, *args: Any) -> Iterator[Values]:
        event = notices.begin()
        try:
            for values in work(*args):
                yield _values(values, changed, notices.may_clear(event))
        except Exception as error:
            notices.tell()
            yield {changed[-1]: notice(_explained(error))}

    return told


def _with_notices(work: Work) -> Callable[[W], W]:
    """Have a function pass for some work that is given a visitor's `Notices` before all else.

    Gradio looks for what is special of a function's parameters, such as what was selected, by their places.
    """
    own = inspect.signature(work)
    first = inspect.Parameter("notices", inspect.Parameter.POSITIONAL_ONLY)

    def passing(told: W) -> W:
        functools.update_wrapper(told, work)
        told.__signature__ = own.replace(parameters=[first, *own.parameters.values()])  # type: ignore[attr-defined]
        return told

    return passing


def _values(made: Any, changed: Sequence[Block], clears: bool) -> Values:
    """What is to change; the notice, too, which then says nothing, unless it is of something newer."""
    *outputs, told = changed
    if not isinstance(made, dict):
        made = dict(zip(outputs, (made,) if len(outputs) == 1 else made or (), strict=True))
    return {**made, told: notice("")} if clears else made


def _explained(error: Exception) -> str:
    if isinstance(error, RelatentError):
        return sentence(error)
    logger.error("a fault of the page's own", exc_info=error)
    return OURS
