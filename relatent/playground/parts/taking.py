"""The button that takes a picture which a tab made to the first screen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from relatent.playground.page import Page
from relatent.playground.taken import TakenPicture

FIRST_SCREEN = "edit"
"""The tab that pictures are taken to."""


def edit_button(page: Page, elem_id: str) -> gr.State:
    """A button that takes a picture to the first screen.

    Args:
        page: that it is on.
        elem_id: what tests call it.

    Returns:
        Holds the picture, or None, of which the button cannot be pressed.
    """
    button = gr.Button("Edit this one", elem_id=elem_id, interactive=False)
    offered = gr.State(None)

    def take(picture: TakenPicture) -> dict[Any, Any]:
        # Another one each time: the same is taken again to begin anew.
        return {page.taken: replace(picture), page.tabs: gr.Tabs(selected=FIRST_SCREEN)}

    page.follow(
        offered.change, lambda picture: gr.Button(interactive=picture is not None), [offered], [button]
    )
    page.on(button.click, take, [offered], [page.taken, page.tabs])
    return offered
