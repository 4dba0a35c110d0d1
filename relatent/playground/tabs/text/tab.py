"""The tab that moves a picture by what a text says."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from relatent.client.catalog import PackInfo
from relatent.client.errors import InputError
from relatent.client.results import Inversion
from relatent.client.texts import Text
from relatent.playground import ways
from relatent.playground.downloads import links, new_key
from relatent.playground.page import Page
from relatent.playground.parts.pair import of_two, pair
from relatent.playground.parts.picker import file_bytes, picker
from relatent.playground.parts.showing import giving_up, needs, said, told_words
from relatent.playground.tabs.text import wording
from relatent.playground.tabs.text.wording import TextWork

MOST_STRENGTH = 3.0


def missing(pack: PackInfo) -> str:
    """Why a pack cannot have the tab."""
    return "" if pack.text is not None else "this pack has no image-text model."


def build(page: Page) -> None:
    """Make the tab."""
    info = page.pack.text
    assert info is not None, "the tab is not built without"
    way = ways.plain(page.pack)
    work = gr.State(None)
    with gr.Row():
        with gr.Column(min_width=280):
            picture = picker(page, "A picture", "text-picture")
        with gr.Column(min_width=280):
            prompt = gr.Textbox(
                label="What it shall show", placeholder=f"{info.neutral} with …", max_lines=1,
                elem_id="text-prompt", interactive=True,
            )  # fmt: skip
            neutral = gr.Textbox(
                info.neutral, label="What it shows", info="the same, without what is to change", max_lines=1,
                elem_id="text-neutral", interactive=True,
            )  # fmt: skip
            strength = gr.Slider(
                -MOST_STRENGTH, MOST_STRENGTH, info.strength, step=0.1, label="Strength",
                info="below 0: away from it", elem_id="text-strength", interactive=True, buttons=[],
            )  # fmt: skip
            beta = gr.Slider(
                0.02, 0.98, round(info.beta, 2), step=0.02, label="Relevance threshold",
                info="the higher, the fewer things change", elem_id="text-beta", interactive=True, buttons=[],
            )  # fmt: skip
            start = gr.Button("Move", variant="primary", elem_id="text-start", interactive=False)
        with gr.Column(scale=2, min_width=320):
            both = pair(
                "text-pair", "How much of the picture as it was is uncovered", "What the text makes of it."
            )
            status = gr.HTML(said("Choose a picture, and say what it shall show."), elem_id="text-status")
            found = gr.HTML(elem_id="text-words")
            downloads = gr.HTML(elem_id="text-downloads")

    def run(now: TextWork | None, path: str | None, *asked: Any) -> Iterator[dict[Any, Any]]:
        data, text = file_bytes(path), _text(*asked)
        if now is None or now.path != path:
            found_now: Inversion | None = None
            for news in ways.inverting(page.client, page.pack, data, way.options):
                if isinstance(news, Inversion):
                    found_now = news
                elif news.preview is not None:
                    far = f"after {news.steps} steps"
                    told = said(f"Inverting: {news.steps} of {news.total_steps} steps.")
                    yield {status: told, both: of_two(news.preview, far, news.preview, far)}
            assert found_now is not None, "an inversion ends with its result"
            before = wording.read(page.client, page.pack, found_now.reconstruction)
            now = TextWork(new_key(), str(path), way.options, found_now, before)
            yield {work: now, status: said("Inverted.")}
        yield look(wording.move(page.client, page.pack, now, text))

    def again(now: TextWork | None, path: str | None, *asked: Any) -> dict[Any, Any]:
        if now is None or now.path != path:
            return {}
        return look(wording.move(page.client, page.pack, now, _text(*asked)))

    def look(now: TextWork) -> dict[Any, Any]:
        assert now.edited is not None, "made by a text"
        assert now.text is not None, "made by a text"
        page.downloads.offer(now.key, wording.files(page.pack, now))
        return {
            work: now,
            both: of_two(now.inversion.reconstruction, "as inverted", now.edited.image, now.text.prompt),
            status: said(html.escape(f"Moved by {now.text.strength:g} towards: {now.text.prompt}")),
            found: told_words(wording.in_words(now, page.pack.described)),
            downloads: links(now.key, wording.file_names(page.pack)),
        }

    inputs, outputs = [work, picture, prompt, neutral, strength, beta], [work, both, status, found, downloads]
    needs(page, start, [picture])
    page.on(
        [start.click, prompt.submit],
        giving_up(run, status, "Not moved."),
        inputs,
        outputs,
        trigger_mode="once",
    )
    page.on([strength.input, beta.input], again, inputs, outputs, trigger_mode="always_last")


def _text(prompt: str, neutral: str, strength: float, beta: float) -> Text:
    if not prompt.strip():
        raise InputError("there is no text yet: say what the picture shall show")
    return Text(prompt.strip(), neutral.strip(), float(strength), float(beta))
