"""The page as a whole: what it looks like, its tabs, and what it says before a service answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from relatent.client.catalog import PackInfo
from relatent.client.errors import RelatentError
from relatent.playground.connection import Connection
from relatent.playground.downloads import Downloads
from relatent.playground.notices import Notices
from relatent.playground.page import Page, notice
from relatent.playground.parts.examples import Examples
from relatent.playground.sentences import sentence
from relatent.playground.tabs.edit import tab as edit
from relatent.playground.tabs.methods import tab as methods
from relatent.playground.tabs.morph import tab as morph
from relatent.playground.tabs.restore import tab as restore
from relatent.playground.tabs.samples import tab as samples
from relatent.playground.tabs.text import tab as text

TITLE = "Relatent"
LOOK_AGAIN_SECONDS = 2.0
STAY_SECONDS = 5.0
NO_PACK = "The service has no pack for this page's key."
STYLES = [Path(__file__).with_name(name) for name in ("style.css", "tabs.css")]


@dataclass(frozen=True)
class PageTab:
    """A tab.

    Attributes:
        title: on the tab.
        build: makes its components, and what they do.
        missing: why a pack cannot have it; empty for one that can.
    """

    title: str
    build: Callable[[Page], None]
    missing: Callable[[PackInfo], str] = lambda pack: ""


TABS = (
    PageTab("Edit", edit.build),
    PageTab("Morph", morph.build),
    PageTab("Restore", restore.build, restore.missing),
    PageTab("Text", text.build, text.missing),
    PageTab("Methods", methods.build),
    PageTab("Samples", samples.build),
)


def theme() -> gr.themes.Base:
    """How the page looks: fonts of the system alone, so that none is fetched."""
    fonts, mono = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    return gr.themes.Default(primary_hue="indigo", secondary_hue="indigo", font=fonts, font_mono=mono)


def build(connection: Connection, examples: Examples, downloads: Downloads) -> gr.Blocks:
    """The page before a service, whether it answers yet or not."""
    blocks = gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(600, 3600))
    with blocks:
        gr.Markdown("# Relatent\nFind a picture's latent code, and edit what it shows.", elem_id="head")
        said = gr.HTML(elem_id="notice", padding=False)
        notices = gr.State(Notices())
        chosen = gr.Dropdown([], label="Pack", visible=False, elem_id="pack")
        again = gr.Timer(LOOK_AGAIN_SECONDS)

        def look() -> tuple[Any, Any, Any]:
            try:
                names = sorted(connection.look().packs)
            except RelatentError as error:
                return notice(sentence(error)), gr.skip(), gr.skip()
            if not names:
                return notice(NO_PACK), gr.skip(), gr.skip()
            box = gr.Dropdown(names, value=names[0], visible=len(names) > 1)
            return notice(""), box, gr.Timer(active=False)

        gr.on(
            [blocks.load, again.tick],
            look,
            outputs=[said, chosen, again],
            show_progress="hidden",
            api_visibility="private",
        )

        # On its own: it lasts as long as the visit.
        blocks.load(_stay, show_progress="hidden", concurrency_limit=None, api_visibility="private")

        @gr.render(inputs=[chosen], triggers=[chosen.change], show_progress="hidden")  # type: ignore[untyped-decorator]
        def tabs(name: str | None) -> None:
            if name:
                pack = connection.pack(name)
                taken = gr.State(None)
                with gr.Tabs(elem_id="tabs") as shown:
                    page = Page(connection, pack, examples.of(pack), downloads, said, notices, shown, taken)
                    missing = _tabs(page)
                if missing:
                    gr.Markdown("\n\n".join(missing), elem_id="missing")

    return blocks


async def _stay() -> AsyncIterator[None]:
    """An event that does nothing, and keeps the stream of a visitor's events open.

    Gradio closes the stream when it has no event under way; one that comes just then is never answered, which
    its page cannot tell from one that takes its time.
    """
    while True:
        await asyncio.sleep(STAY_SECONDS)
        yield  # or it would go on for those who left


def _tabs(page: Page) -> list[str]:
    """Build every tab that a pack can have; why it cannot have the others."""
    missing = {tab.title: tab.missing(page.pack) for tab in TABS}
    for tab in TABS:
        if not missing[tab.title]:
            with gr.Tab(tab.title, id=tab.title.lower()):
                tab.build(page)
    return [f"**{title}** is not here: {why}" for title, why in missing.items() if why]
