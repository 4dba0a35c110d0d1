"""Where a picture comes from: a file that is dropped or pasted, the webcam, or an example to click."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps

from relatent.client.errors import InputError
from relatent.playground.page import Page
from relatent.playground.parts.pictures import data_url

WAYS = ["upload", "webcam", "clipboard"]

_THUMBNAIL = 128
"""Pixels of an example's side."""
_PICK = """
element.querySelectorAll('.example').forEach(button => button.addEventListener('click', () => {
  props.value = button.dataset.number; trigger('input');
}));
"""


def picker(page: Page, label: str, elem_id: str) -> gr.State:
    """A place for a picture, with examples below it.

    Args:
        page: that it is for.
        label: what people call it.
        elem_id: what tests call it.

    Returns:
        Holds the path of the picture's file, as it is, or None; `file_bytes` reads it, and its `change` tells
        of a new one.
    """
    picture = gr.Image(
        label=label,
        sources=WAYS,  # type: ignore[arg-type]
        elem_id=elem_id,
        height=260,
        buttons=[],
        interactive=True,
    )
    if page.examples:
        shelf = gr.HTML(
            html_template=_shelf(page.examples), js_on_load=_PICK, elem_id=f"{elem_id}-examples", value=""
        )
        page.on(shelf.input, lambda number: str(page.examples[int(number)]), [shelf], [picture])
    file = gr.State(None)
    # Not as Gradio reads pictures: what is none is refused in the service's own words, and not by Pillow's.
    gr.on(
        picture.change,
        _checked(page, Path(picture.GRADIO_CACHE)),
        [picture],
        [file],
        preprocess=False,
        show_progress="hidden",
        api_visibility="private",
    )
    return file


def file_bytes(path: str | None) -> bytes:
    """The bytes of a picked picture, as they are: the client knows what to do with them.

    Raises:
        InputError: nothing was picked, or it is not kept any more.
    """
    if not path:
        raise InputError("choose a picture first: click an example, drop a file or use the webcam")
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise InputError("the picture is not kept any more: choose it again") from None


def _shelf(examples: Sequence[Path]) -> str:
    buttons = [
        f'<button type="button" class="example" data-number="{number}" '
        f'aria-label="Example {number + 1}"><img src="{_thumbnail(path)}" alt=""></button>'
        for number, path in enumerate(examples)
    ]
    return f'<p class="shelf-title">Examples</p><div class="shelf">{"".join(buttons)}</div>'


@functools.cache
def _thumbnail(path: Path) -> str:
    with Image.open(path) as opened:
        return data_url(ImageOps.fit(opened.convert("RGB"), (_THUMBNAIL, _THUMBNAIL)), "webp")


def _checked(page: Page, brought: Path) -> Callable[[Any], str | None]:
    """What takes a file's path off what the browser says: of those that were brought, and no other."""

    def path_of(picked: dict[str, Any] | None) -> str | None:
        path = Path(picked["path"]).resolve() if picked else None
        allowed = path is not None and (path.is_relative_to(brought.resolve()) or path in page.examples)
        return str(path) if allowed else None

    return path_of
