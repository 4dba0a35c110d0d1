"""Places on the page for pictures that the service made."""

from __future__ import annotations

import functools
import html
import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import gradio as gr
from PIL import Image

from relatent.client.errors import RelatentError
from relatent.client.images import ImageFormat, Picture
from relatent.playground.page import Page

Stages: TypeAlias = Callable[..., Iterator[dict[Any, Any]]]
"""What is done at an event and shown as it goes: yields the values that change."""


def said(text: str) -> str:
    """What is going on, as HTML that screen readers tell when they may; plain text, already escaped."""
    return f'<p class="status" role="status">{text}</p>'


def result(label: str, elem_id: str, height: int | None = None) -> gr.Image:
    """A place for one picture, without loss."""
    return gr.Image(
        label=label,
        elem_id=elem_id,
        format="png",
        type="pil",
        interactive=False,
        buttons=[],
        min_width=150,
        height=height,
    )


def strip(label: str, elem_id: str, columns: int) -> gr.Gallery:
    """A place for several pictures side by side, one of which may be chosen."""
    return gr.Gallery(
        label=label,
        show_label=False,
        elem_id=elem_id,
        format="png",
        columns=columns,
        object_fit="contain",
        height="auto",
        allow_preview=False,
        fit_columns=False,
        interactive=False,
        buttons=[],
    )


def needs(page: Page, button: gr.Button, pictures: Sequence[gr.State]) -> None:
    """Let a button be pressed once all of some pictures are there."""
    page.follow(
        [picture.change for picture in pictures],
        lambda *paths: gr.Button(interactive=all(paths)),
        pictures,
        [button],
    )


def giving_up(work: Stages, status: gr.HTML, text: str) -> Stages:
    """The same work, which says so in a place where it ends by an error, rather than how far it had come."""

    @functools.wraps(work)
    def tried(*args: Any) -> Iterator[dict[Any, Any]]:
        try:
            yield from work(*args)
        except RelatentError:
            yield {status: said(text)}
            raise

    return tried


def told_words(told: Sequence[tuple[str, str]]) -> str:
    """Sentences, and beneath each the figures behind it, as HTML."""
    rows = [f"<dt>{html.escape(what)}</dt><dd>{html.escape(figures)}</dd>" for what, figures in told]
    return f'<dl class="words">{"".join(rows)}</dl>'


def lossless(image: Image.Image) -> Picture:
    """A picture of the page's own, as one of the service's would be."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return Picture(buffer.getvalue(), ImageFormat.PNG, *image.size)
