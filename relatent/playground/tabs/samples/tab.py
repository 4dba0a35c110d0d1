"""The tab of pictures that nobody brought: what the model makes of seeds."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from relatent.playground.downloads import links, new_key
from relatent.playground.page import Page
from relatent.playground.parts.pictures import shown
from relatent.playground.parts.showing import result, said, strip
from relatent.playground.parts.taking import edit_button
from relatent.playground.tabs.samples import sampling
from relatent.playground.tabs.samples.sampling import DrawnSamples
from relatent.playground.taken import TakenPicture

COLUMNS = 6


def build(page: Page) -> None:
    """Make the tab."""
    drawn = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            first = gr.Textbox(
                "1", label="First seed", info="the same seed makes the same picture", max_lines=1,
                elem_id="samples-first", interactive=True,
            )  # fmt: skip
            count = gr.Slider(
                1, sampling.MOST, 12, step=1, label="How many", elem_id="samples-count", interactive=True,
                buttons=[],
            )  # fmt: skip
            truncation = gr.Slider(
                0, 1, 0.7, step=0.05, label="Truncation", info="1: everything; 0: only the mean",
                elem_id="samples-truncation", interactive=True, buttons=[],
            )  # fmt: skip
            start = gr.Button("Draw", variant="primary", elem_id="samples-start")
        with gr.Column(scale=3, min_width=320):
            status = gr.HTML(said("Draw some, then choose one."), elem_id="samples-status")
            row = strip("Samples", "samples-strip", COLUMNS)
        with gr.Column(scale=2, min_width=280):
            large = result("The chosen one", "samples-chosen")
            offered = edit_button(page, "samples-edit")
            downloads = gr.HTML(elem_id="samples-downloads")

    def run(written: str, many: int, psi: float) -> dict[Any, Any]:
        chosen = sampling.seeds(written, int(many))
        made = sampling.draw(page.client, page.pack, chosen, psi)
        pictures = [(shown(each.image), str(seed)) for seed, each in zip(chosen, made, strict=True)]
        return {
            drawn: DrawnSamples(new_key(), chosen, made),
            status: said(html.escape(sampling.words(psi, len(made)))),
            row: gr.Gallery(pictures, selected_index=None),
            large: None,
            offered: None,
            downloads: "",
        }

    def choose(now: DrawnSamples | None, event: gr.SelectData) -> dict[Any, Any]:
        if now is None:
            return {}
        seed, sample = now.seeds[int(event.index)], now.samples[int(event.index)]
        page.downloads.offer(now.key, sampling.files(page.pack, seed, sample))
        return {
            large: gr.Image(shown(sample.image), label=f"Seed {seed}"),
            offered: TakenPicture(f"seed {seed}", sample.latent, sample.image),
            downloads: links(now.key, sampling.file_names(page.pack, seed)),
        }

    of_one = [large, offered, downloads]
    page.on([start.click, first.submit], run, [first, count, truncation], [drawn, status, row, *of_one])
    page.on(row.select, choose, [drawn], of_one, trigger_mode="always_last")
