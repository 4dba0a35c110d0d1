"""The tab that morphs two pictures."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from relatent.client.images import Picture
from relatent.client.results import Inversion, Progress
from relatent.playground import ways
from relatent.playground.downloads import links, new_key
from relatent.playground.page import Page
from relatent.playground.parts.picker import file_bytes, picker
from relatent.playground.parts.pictures import shown
from relatent.playground.parts.showing import giving_up, needs, result, said, strip
from relatent.playground.parts.taking import edit_button
from relatent.playground.tabs.morph import morphing
from relatent.playground.tabs.morph.morphing import MIDDLE, STRIP, MorphWork
from relatent.playground.taken import TakenPicture

NAMES = ("first", "second")
_SMALL, _LARGE = 190, 380
"""Heights of pictures on the page, in its pixels: with the slider below them they fit on a screen."""


def build(page: Page) -> None:
    """Make the tab."""
    choices = {way.name: way.options for way in ways.qualities(page.pack)}
    work = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            given = [picker(page, f"The {name} picture", f"morph-{name}") for name in NAMES]
            names = list(choices)
            quality = gr.Radio(
                names, value=_middle(names), label="Quality", elem_id="morph-quality", interactive=True
            )
            start = gr.Button("Morph", variant="primary", elem_id="morph-start", interactive=False)
        with gr.Column(scale=2, min_width=320):
            status = gr.HTML(
                said("Choose two pictures, then morph. The slider, or a picture of the strip, says how far."),
                elem_id="morph-status",
            )
            with gr.Row():
                made = [result(f"The {name}, inverted", f"morph-made-{name}", _SMALL) for name in NAMES]
            between = result("Between them", "morph-between", _LARGE)
            amount = gr.Slider(
                0, 1, MIDDLE, step=0.01, label="How far from the first to the second",
                elem_id="morph-amount", interactive=False, buttons=[],
            )  # fmt: skip
            offered = edit_button(page, "morph-edit")
            row = strip("The way, in steps: choose one to see it large", "morph-strip", len(STRIP))
            downloads = gr.HTML(elem_id="morph-downloads")

    def run(first: str | None, second: str | None, chosen: str) -> Iterator[dict[Any, Any]]:
        options = choices[chosen]
        found: dict[str, Inversion] = {}
        for name, path, place in zip(NAMES, (first, second), made, strict=True):
            data = file_bytes(path)
            for news in ways.inverting(page.client, page.pack, data, options):
                yield {status: _progress(name, news), **_preview(place, news)}
                if isinstance(news, Inversion):
                    found[name] = news
        begin, end = (found[name] for name in NAMES)
        images = morphing.frames(page.client, page.pack, begin, end, STRIP)
        now = MorphWork(new_key(), begin, end, options, MIDDLE, images[STRIP.index(MIDDLE)])
        pictures = [(shown(each.image), f"{far:.0%}") for far, each in zip(STRIP, images, strict=True)]
        yield {**look(now), row: pictures, amount: gr.Slider(value=MIDDLE, interactive=True)}

    def look(now: MorphWork) -> dict[Any, Any]:
        page.downloads.offer(now.key, morphing.files(now, page.pack))
        return {
            work: now,
            between: shown(now.frame.image),
            offered: TakenPicture(f"{now.amount:.0%} of the morph", now.frame.latent, now.frame.image),
            status: said(html.escape(morphing.words(now.amount))),
            downloads: links(now.key, morphing.file_names(page.pack)),
        }

    def move(now: MorphWork | None, far: float) -> dict[Any, Any]:
        return look(morphing.moved(page.client, page.pack, now, far)) if now else {}

    def choose(now: MorphWork | None, chosen: gr.SelectData) -> dict[Any, Any]:
        far = STRIP[int(chosen.index)]
        return {**move(now, far), amount: far} if now else {}

    results = [work, between, offered, status, downloads, amount]
    needs(page, start, given)
    page.on(
        start.click,
        giving_up(run, status, "Not morphed."),
        [*given, quality],
        [*results, *made, row],
        trigger_mode="once",
    )
    page.on(amount.input, move, [work, amount], results, trigger_mode="always_last")
    page.on(row.select, choose, [work], results, trigger_mode="always_last")


def _progress(name: str, news: Progress | Inversion) -> str:
    if isinstance(news, Inversion):
        return said(f"Inverted the {name} picture.")
    return said(f"Inverting the {name} picture: {news.steps} of {news.total_steps} steps.")


def _preview(place: gr.Image, news: Progress | Inversion) -> dict[Any, Any]:
    picture: Picture | None = news.reconstruction if isinstance(news, Inversion) else news.preview
    return {place: shown(picture)} if picture is not None else {}


def _middle(names: list[str]) -> str:
    return names[len(names) // 2]
