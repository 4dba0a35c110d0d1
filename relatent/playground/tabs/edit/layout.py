"""What the first screen is made of, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.blocks import Block

from relatent.client.catalog import PackInfo
from relatent.core.presets import Preset
from relatent.playground.page import Page
from relatent.playground.parts.loss_curve import curve
from relatent.playground.parts.pair import pair
from relatent.playground.parts.picker import picker
from relatent.playground.parts.showing import said
from relatent.playground.tabs.edit.desk import GIVEN
from relatent.playground.tabs.edit.dials import Dial
from relatent.playground.ways import methods


@dataclass(frozen=True)
class FirstParts:
    """The components of the first screen.

    Attributes:
        picture, quality, method, steps, start, stop: what is asked for.
        pair, against, status, words, curve, history, undo, redo, links: what came of it.
        sliders, locks: of each dial, in their order.
        lock_all, lock_none: buttons.
    """

    picture: gr.State
    quality: gr.Radio
    method: gr.Dropdown
    steps: gr.Textbox
    start: gr.Button
    stop: gr.Button
    curve: gr.HTML
    pair: gr.HTML
    status: gr.HTML
    words: gr.HTML
    undo: gr.Button
    redo: gr.Button
    against: gr.Dropdown
    history: gr.Radio
    links: gr.HTML
    sliders: tuple[gr.Slider, ...]
    locks: tuple[gr.Checkbox, ...]
    lock_all: gr.Button
    lock_none: gr.Button

    @property
    def results(self) -> list[Block]:
        """What an inversion changes."""
        shown = [self.pair, self.status, self.words, self.curve, self.undo, self.redo, self.against]
        return [*shown, self.history, self.links, *self.sliders]


def lay_out(page: Page, dials: Sequence[Dial]) -> FirstParts:
    """Make the components, in three columns that stand below one another where there is no room."""
    with gr.Row(elem_id="first"):
        with gr.Column(scale=3, min_width=280):
            picture = picker(page, "Your picture", "picture")
            quality, method, steps = _asked(page.pack)
            with gr.Row():
                start = gr.Button("Invert again", elem_id="start", min_width=120)
                stop = gr.Button("Stop", elem_id="stop", min_width=80, interactive=False)
            drawn = gr.HTML(curve([], 0), elem_id="curve")
        with gr.Column(scale=4, min_width=320, elem_id="result"):
            empty = "Click an example, drop a picture, or use the webcam."
            shown = pair("pair", "How much of the left picture is uncovered", empty)
            status = gr.HTML(said(""), elem_id="status")
            words = gr.HTML(elem_id="words")
            with gr.Row():
                undo = gr.Button("Undo", elem_id="undo", min_width=80, interactive=False)
                redo = gr.Button("Redo", elem_id="redo", min_width=80, interactive=False)
            against = gr.Dropdown(
                [GIVEN], value=GIVEN, label="Compare with", elem_id="against", interactive=True
            )
            history = gr.Radio([], label="Steps", elem_id="history", visible=False, interactive=True)
            links = gr.HTML(elem_id="links")
        with gr.Column(scale=4, min_width=320, elem_id="dials"):
            sliders, locks, lock_all, lock_none = _dials(dials)
    return FirstParts(
        picture, quality, method, steps, start, stop, drawn, shown, status, words, undo, redo, against,
        history, links, sliders, locks, lock_all, lock_none,
    )  # fmt: skip


def _asked(pack: PackInfo) -> tuple[gr.Radio, gr.Dropdown, gr.Textbox]:
    qualities = [preset.value for preset in Preset if preset in pack.presets]
    best = qualities[-1] if qualities else None
    quality = gr.Radio(
        qualities,
        value=best,
        label="Quality",
        info="how much time to take",
        elem_id="quality",
        interactive=True,
        visible=bool(qualities),
    )
    with gr.Accordion("More", open=False, elem_id="more"):
        plain = [way.name for way in methods(pack)]
        usual = "as the quality says" if qualities else "as usual"
        method = gr.Dropdown(
            [(usual, ""), *((name, name) for name in plain)],
            value="",
            label="Method",
            elem_id="method",
            interactive=True,
        )
        steps = gr.Textbox(
            label="Steps", placeholder="as usual", max_lines=1, elem_id="steps", interactive=True
        )
    return quality, method, steps


def _dials(
    dials: Sequence[Dial],
) -> tuple[tuple[gr.Slider, ...], tuple[gr.Checkbox, ...], gr.Button, gr.Button]:
    exact = any(dial.exact for dial in dials)
    what = "What the picture shows" if exact else "Directions of the model"
    gr.Markdown(f"### {what}\nMove a slider, and the picture follows. What is held stays as it is.")
    with gr.Row():
        lock_all = gr.Button("Hold all", size="sm", min_width=80, elem_id="hold-all")
        lock_none = gr.Button("Hold none", size="sm", min_width=80, elem_id="hold-none")
    sliders, locks = [], []
    for dial in dials:
        with gr.Row(elem_classes="dial"):
            sliders.append(
                gr.Slider(
                    dial.low,
                    dial.high,
                    dial.fit((dial.low + dial.high) / 2),
                    step=dial.step,
                    label=dial.label,
                    elem_id=f"dial-{dial.name}",
                    scale=5,
                    min_width=180,
                    interactive=False,
                    buttons=[],
                )
            )
            locks.append(
                gr.Checkbox(
                    exact,
                    label=f"hold {dial.label}",
                    elem_id=f"hold-{dial.name}",
                    scale=1,
                    min_width=90,
                    interactive=True,
                )
            )
    return tuple(sliders), tuple(locks), lock_all, lock_none
