"""The tab that sets methods side by side."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr
from gradio.blocks import Block

from relatent.client.errors import InputError
from relatent.client.results import Inversion
from relatent.playground import ways
from relatent.playground.downloads import new_key
from relatent.playground.page import Page
from relatent.playground.parts.picker import file_bytes, picker
from relatent.playground.parts.showing import giving_up, needs, said
from relatent.playground.tabs.methods import trying
from relatent.playground.tabs.methods.trying import Tried


def build(page: Page) -> None:
    """Make the tab."""
    all_ways = {way.name: way for way in (*ways.qualities(page.pack), *ways.methods(page.pack))}
    named = list(all_ways)
    halt = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            picture = picker(page, "A picture", "methods-picture")
            chosen = gr.CheckboxGroup(
                named, value=[way.name for way in ways.qualities(page.pack)], label="Qualities and methods",
                elem_id="methods-chosen", interactive=True,
            )  # fmt: skip
            steps = gr.Slider(
                0, 300, 0, step=1, label="Steps of each", info="0: as many as each takes by itself",
                elem_id="methods-steps", interactive=True, buttons=[],
            )  # fmt: skip
            with gr.Row():
                start = gr.Button(
                    "Run", variant="primary", elem_id="methods-start", interactive=False, min_width=120
                )
                stop = gr.Button("Stop", elem_id="methods-stop", min_width=80)
        with gr.Column(scale=2, min_width=320):
            status = gr.HTML(said("Choose a picture, and ways to invert it."), elem_id="methods-status")
            cards = gr.HTML(elem_id="methods-cards")
            plot = gr.HTML(trying.scatter(()), elem_id="methods-plot")

    def run(path: str | None, names: list[str], many: int) -> Iterator[dict[Any, Any]]:
        data = file_bytes(path)
        if not names:
            raise InputError("choose one way at least; several to compare them")
        stopped, tried = threading.Event(), list[Tried]()
        yield {halt: stopped}
        for name in [name for name in named if name in names]:
            told = f"Running {name}, {len(tried) + 1} of {len(names)}."
            began = time.monotonic()
            asked = all_ways[name].in_steps(int(many))
            with closing(ways.inverting(page.client, page.pack, data, asked)) as refining:
                for news in refining:
                    if stopped.is_set():
                        yield {status: said("Stopped."), cards: trying.cards(tried, page.pack)}
                        return
                    if isinstance(news, Inversion):
                        tried.append(Tried(new_key(), name, news, time.monotonic() - began))
                        page.downloads.offer(tried[-1].key, trying.files(page.pack, tried[-1]))
                        card = ""
                    else:
                        card = trying.coming(name, news.steps, news.total_steps, news.preview)
                    yield {
                        status: said(html.escape(told)),
                        cards: trying.cards(tried, page.pack, card),
                        plot: trying.scatter(tried),
                    }
        yield {status: said(html.escape(trying.in_words(tried)))}

    needs(page, start, [picture])
    outputs: list[Block] = [halt, status, cards, plot]
    work = giving_up(run, status, "Ended before all were run.")
    page.on(start.click, work, [picture, chosen, steps], outputs, trigger_mode="once")
    page.on(stop.click, _stop, [halt])


def _stop(halt: threading.Event | None) -> None:
    """End a run at its next news: not cancelled by Gradio, which fails where a run ends meanwhile."""
    if halt is not None:
        halt.set()
