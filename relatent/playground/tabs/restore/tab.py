"""The tab that restores a picture."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.blocks import Block

from relatent.client.catalog import PackInfo
from relatent.client.images import Picture
from relatent.client.restoring import Restoration
from relatent.client.results import Progress
from relatent.core.restoration import DEFAULTS, RestorationPreset
from relatent.playground.downloads import links, new_key
from relatent.playground.page import Page
from relatent.playground.parts.pair import of_two, pair
from relatent.playground.parts.picker import file_bytes, picker
from relatent.playground.parts.pictures import SIDE, shown, square
from relatent.playground.parts.showing import giving_up, lossless, needs, said, told_words
from relatent.playground.parts.taking import edit_button
from relatent.playground.tabs.restore import mending, spoiling
from relatent.playground.tabs.restore.mending import Wanting
from relatent.playground.taken import TakenPicture

FIRST = RestorationPreset.COLORIZE
BRUSH = 36
MOST_STEPS = 200


def missing(pack: PackInfo) -> str:
    """Why a pack cannot have the tab."""
    return "" if "restore" in pack.methods else "this pack has no method that restores."


def build(page: Page) -> None:
    """Make the tab."""
    laid = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            picture = picker(page, "A picture", "restore-picture")
            lacks = gr.Radio(
                [(label, preset.value) for preset, label in mending.LABELS.items()], value=FIRST.value,
                label="What it lacks", elem_id="restore-lacks", interactive=True,
            )  # fmt: skip
            spoil = gr.Checkbox(
                True, label="Spoil this picture first", info="for a picture that lacks nothing",
                elem_id="restore-spoil", interactive=True,
            )  # fmt: skip
            fewer = gr.Radio(
                [(f"{times} times smaller", times) for times in spoiling.FEWER], value=4, label="How small",
                elem_id="restore-fewer", visible=False, interactive=True,
            )  # fmt: skip
            keep = gr.Checkbox(
                True, label="Keep what is known", info="put back what was given, wherever it tells",
                elem_id="restore-keep", interactive=True,
            )  # fmt: skip
            steps = gr.Slider(
                1, MOST_STEPS, DEFAULTS[FIRST].steps, step=1, label="Steps", elem_id="restore-steps",
                interactive=True, buttons=[],
            )  # fmt: skip
        with gr.Column(scale=2, min_width=320):
            canvas = _canvas()
            start = gr.Button("Restore", variant="primary", elem_id="restore-start", interactive=False)
            status = gr.HTML(said("Choose a picture, and what it lacks."), elem_id="restore-status")
            before = pair("restore-pair", "How much of what was given is uncovered", "What becomes of it.")
            found = gr.HTML(elem_id="restore-words")
            offered = edit_button(page, "restore-edit")
            downloads = gr.HTML(elem_id="restore-downloads")

    def choose(name: str) -> dict[Any, Any]:
        preset = RestorationPreset(name)
        return {
            fewer: gr.Radio(visible=preset is RestorationPreset.UPSCALE),
            keep: gr.Checkbox(visible=preset is not RestorationPreset.DENOISE),
            spoil: gr.Checkbox(visible=preset is not RestorationPreset.INPAINT),
            steps: DEFAULTS[preset].steps,
        }

    def ground(name: str, path: str | None, painted_on: str | None) -> dict[Any, Any]:
        paints = RestorationPreset(name) is RestorationPreset.INPAINT
        if not paints or path == painted_on:  # strokes stay
            return {canvas: gr.ImageEditor(visible=paints)}
        return {canvas: gr.ImageEditor(value=_ground(page, path), visible=True), laid: path}

    def run(
        path: str | None, name: str, first: bool, times: int, kept: bool, many: int, painted: Any
    ) -> Iterator[dict[Any, Any]]:
        preset = RestorationPreset(name)
        wanting = mending.want(page.pack, file_bytes(path), preset, first, times, painted)
        for news in mending.mend(page.client, page.pack, wanting, kept, int(many)):
            yield _progress(wanting, news) if isinstance(news, Progress) else _finished(wanting, news)

    def _progress(wanting: Wanting, news: Progress) -> dict[Any, Any]:
        told = {status: said(f"Restoring: {news.steps} of {news.total_steps} steps.")}
        if news.preview is None:
            return told
        return {
            **told,
            before: of_two(_given(wanting, news.preview), "given", news.preview, "so far"),
        }

    def _finished(wanting: Wanting, restored: Restoration) -> dict[Any, Any]:
        key = new_key()
        page.downloads.offer(key, mending.files(page.pack, restored))
        given = _given(wanting, restored.image)
        return {
            status: said(f"Restored in {restored.timings.total:.1f} s, {restored.steps} steps."),
            before: of_two(given, "given", restored.image, "restored"),
            found: told_words(mending.in_words(wanting, restored)),
            offered: TakenPicture("as restored", restored.latent, restored.image),
            downloads: links(key, mending.file_names(page.pack)),
        }

    results: list[Block] = [status, before, found, offered, downloads]
    needs(page, start, [picture])
    page.on(lacks.input, choose, [lacks], [fewer, keep, spoil, steps], trigger_mode="always_last")
    page.on(
        [lacks.input, picture.change],
        ground,
        [lacks, picture, laid],
        [canvas, laid],
        trigger_mode="always_last",
    )
    inputs = [picture, lacks, spoil, fewer, keep, steps, canvas]
    page.on(start.click, giving_up(run, status, "Not restored."), inputs, results, trigger_mode="once")


def _canvas() -> gr.ImageEditor:
    """Where one paints what is missing."""
    return gr.ImageEditor(
        label="Paint over what is missing",
        type="pil",
        image_mode="RGBA",
        format="png",
        sources=(),
        transforms=(),
        layers=False,
        canvas_size=(SIDE, SIDE),
        brush=gr.Brush(default_size=BRUSH, colors=["#808080"], default_color="#808080", color_mode="fixed"),
        buttons=[],
        visible=False,
        interactive=True,
        elem_id="restore-canvas",
    )


def _ground(page: Page, path: str | None) -> Any:
    """What is painted upon."""
    whole = square(file_bytes(path), page.pack.resolution) if path else None
    return None if whole is None else {"background": shown(whole), "layers": [], "composite": None}


def _given(wanting: Wanting, otherwise: Picture) -> Picture:
    return otherwise if wanting.picture is None else lossless(wanting.picture)
