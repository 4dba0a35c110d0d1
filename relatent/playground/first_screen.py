"""The first screen."""

from __future__ import annotations

import gradio as gr

from relatent.playground.page import Page
from relatent.playground.picker import file_bytes, picker
from relatent.playground.pictures import shown


def build(page: Page) -> None:
    """The first screen."""
    with gr.Row():
        picture = picker(page, "Your picture", "picture")
        made = gr.Image(label="Reconstruction", elem_id="made", format="png")

    def invert(path: str | None):  # type: ignore[no-untyped-def]
        return shown(page.client.invert(file_bytes(path), pack=page.pack.name, quality="fast").reconstruction)

    page.on(gr.Button("Invert").click, invert, [picture], [made])
