"""What the first screen shows of a picture at work."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from typing import Any

import gradio as gr
from gradio.blocks import Block

from relatent.client.images import Picture
from relatent.client.results import Inversion, Progress
from relatent.playground import words
from relatent.playground.downloads import links
from relatent.playground.page import Page
from relatent.playground.parts.loss_curve import curve
from relatent.playground.parts.pair import of_two
from relatent.playground.parts.showing import said, told_words
from relatent.playground.tabs.edit import desk
from relatent.playground.tabs.edit.desk import GIVEN, EditingWork
from relatent.playground.tabs.edit.dials import Dial
from relatent.playground.tabs.edit.layout import FirstParts

Values = dict[Block, Any]


def progressed(parts: FirstParts, given: Picture | None, told: Sequence[Progress]) -> Values:
    """While an inversion is under way: its newest preview, and how far it is.

    Args:
        parts: of the screen.
        given: the picture that is inverted.
        told: all reports so far.
    """
    last = told[-1]
    values: Values = {
        parts.status: said(f"Inverting: {last.steps} of {last.total_steps} steps."),
        parts.curve: curve([(each.steps, each.best_loss) for each in told], last.total_steps),
    }
    if last.preview is not None:
        values[parts.pair] = of_two(given or last.preview, GIVEN, last.preview, f"after {last.steps} steps")
    return values


def begun(parts: FirstParts, page: Page, dials: Sequence[Dial], work: EditingWork) -> Values:
    """A picture that was just inverted, or taken from another tab."""
    values = anew(parts, page, dials, work, work.name)
    if (inversion := work.inversion) is None:
        values[parts.status] = said(html.escape(f"{_capital(work.name)}: edited by its own code."))
        return {**values, parts.words: "", parts.curve: curve([], 0)}
    values[parts.status] = said(html.escape(words.inverted(inversion, work.seconds)))
    values[parts.words] = _in_words(inversion)
    done = list(enumerate(inversion.losses))
    values[parts.curve] = curve(_best(done), len(inversion.losses))
    return values


def anew(parts: FirstParts, page: Page, dials: Sequence[Dial], work: EditingWork, against: str) -> Values:
    """A picture as it stands, all of it: after an undo, or the like."""
    values = turned(parts, page, dials, work, against, moved=())
    now = work.history.now
    values[parts.status] = said(html.escape(now.said or f"{_capital(now.label)}."))
    return values


def turned(
    parts: FirstParts,
    page: Page,
    dials: Sequence[Dial],
    work: EditingWork,
    against: str,
    moved: Collection[str],
) -> Values:
    """A picture as it stands, but for the sliders that somebody holds.

    Args:
        parts: of the screen.
        page: that it is on.
        dials: the pack's.
        work: the picture.
        against: what it is compared with.
        moved: names of the dials that are left where they are.
    """
    page.downloads.offer(work.key, desk.files(work, page.pack, dials))
    history = work.history
    numbers = [(label, number) for number, label in enumerate(history.labels)]
    values: Values = {
        parts.pair: compared(work, against),
        parts.links: links(work.key, desk.file_names(work, page.pack, dials)),
        parts.status: said(html.escape(history.now.said)),
        parts.undo: gr.Button(interactive=history.can_undo),
        parts.redo: gr.Button(interactive=history.can_redo),
        parts.history: gr.Radio(numbers, value=history.place, visible=len(numbers) > 1),
        parts.against: gr.Dropdown(_choices(work), value=against if against in _choices(work) else work.name),
    }
    for dial, slider in zip(dials, parts.sliders, strict=True):
        if dial.name not in moved:
            values[slider] = gr.Slider(value=dial.fit(history.now.values[dial.name]), interactive=True)
    return values


def compared(work: EditingWork, against: str) -> str:
    """The picture as it stands beside what it is compared with, as a `pair` takes them."""
    labels = work.history.labels
    other = work.original
    if against in labels:
        other = work.history.steps[labels.index(against)].picture
    left = against if against in labels else work.name
    return of_two(other, left, work.history.now.picture, labels[work.history.place])


def _choices(work: EditingWork) -> list[str]:
    return [work.name, *work.history.labels]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _in_words(inversion: Inversion) -> str:
    quality, in_domain = inversion.quality, inversion.in_domain
    told = [(words.closeness(quality), words.figures(quality))]
    if in_domain is not None:
        found = words.plausibility(in_domain)
        told.append((_capital(found), f"in-domain score {in_domain.score:.2f}"))
    return told_words(told)


def _best(losses: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """Each with the lowest loss by then."""
    lowest: list[tuple[int, float]] = []
    for step, loss in losses:
        lowest.append((step, min(loss, lowest[-1][1]) if lowest else loss))
    return lowest
