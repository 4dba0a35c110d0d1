"""Where a picture comes from: a file that is dropped or pasted, the webcam, or an example to click."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData

from relatent.client.errors import InputError
from relatent.playground.page import Page

WAYS = ["upload", "webcam", "clipboard"]

from gradio.events import Dependency

class PictureInput(gr.Image):
    """An image whose file is handed on as it is: what is no picture is refused in the service's own words."""

    is_template = True  # the browser shows it as what it is derived from

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The file that was picked."""
        return payload.path if payload else None
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component

def picker(page: Page, label: str, elem_id: str) -> PictureInput:
    """A place for a picture, with examples below it.

    Args:
        page: that it is for.
        label: what people call it.
        elem_id: what tests call it.

    Returns:
        A component whose value is the picture's file; `file_bytes` reads it.
    """
    picture = PictureInput(
        label=label,
        sources=WAYS,  # type: ignore[arg-type]
        elem_id=elem_id,
        height=260,
        buttons=[],
    )
    if page.examples:
        gr.Examples(
            [[str(path)] for path in page.examples],
            inputs=[picture],
            label="Examples",
            elem_id=f"{elem_id}-examples",
            examples_per_page=24,
        )
    return picture

def file_bytes(path: Any) -> bytes:
    """The bytes of a picked picture, as they are: the client knows what to do with them.

    Raises:
        InputError: nothing was picked.
    """
    if not path:
        raise InputError("choose a picture first: click an example, drop a file or use the webcam")
    return Path(path).read_bytes()
