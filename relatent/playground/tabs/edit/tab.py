"""The first screen: a picture is inverted before one's eyes, and edited by sliders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from relatent.client.errors import InputError, RelatentError
from relatent.client.requests import InvertOptions
from relatent.client.results import Progress
from relatent.playground.page import Page
from relatent.playground.parts.picker import file_bytes
from relatent.playground.parts.pictures import picture_format
from relatent.playground.parts.showing import said
from relatent.playground.tabs.edit import desk, views
from relatent.playground.tabs.edit.desk import EditingWork
from relatent.playground.tabs.edit.dials import Dial, dials
from relatent.playground.tabs.edit.history import History
from relatent.playground.tabs.edit.layout import FirstParts, lay_out
from relatent.playground.tabs.edit.live import LiveEdits
from relatent.playground.tabs.edit.turns import Turns
from relatent.playground.taken import TakenPicture


def build(page: Page) -> None:
    """Make the first screen."""
    turning = dials(page.pack)
    parts = lay_out(page, turning)
    turns = gr.State(Turns())
    work = gr.State(None)
    live = gr.State(None, delete_callback=_let_go)

    editing = page.on(
        [slider.input for slider in parts.sliders],
        _editor(page, parts, turning, work),
        [work, live, parts.against, *parts.sliders, *parts.locks],
        [work, *parts.results],
        trigger_mode="always_last",
    )
    page.on(
        [parts.picture.change, parts.start.click],
        _inverter(page, parts, turning, work, live),
        [parts.picture, parts.quality, parts.method, parts.steps, live, turns],
        [work, live, parts.start, parts.stop, *parts.results],
        # A new one always begins, and the one before ends at its next news.
        trigger_mode="multiple",
        cancels=[editing],
    )
    page.on(
        page.taken.change,
        _taker(page, parts, turning, work, live),
        [page.taken, live, turns],
        [work, live, parts.start, parts.stop, *parts.results],
        cancels=[editing],
    )
    # Not cancelled by Gradio, which fails where an inversion ends meanwhile.
    page.on(parts.stop.click, Turns.stop, [turns])
    _history(page, parts, turning, work, editing)
    page.on(parts.lock_all.click, lambda: (True,) * len(turning), outputs=parts.locks)
    page.on(parts.lock_none.click, lambda: (False,) * len(turning), outputs=parts.locks)


def _inverter(
    page: Page, parts: FirstParts, turning: Sequence[Dial], work: gr.State, live: gr.State
) -> Callable[..., Iterator[views.Values]]:
    """What inverts the picture that was picked, and shows how."""

    def invert(
        path: str | None,
        quality: str | None,
        method: str,
        steps: str,
        before: LiveEdits | None,
        turns: Turns,
    ) -> Iterator[views.Values]:
        turn = turns.begin()
        if path is None:
            return
        yield _at_work(parts)
        told: list[Progress] = []
        try:
            data = file_bytes(path)
            given = desk.as_given(data, page.pack)
            asked = desk.begin(page.client, page.pack, turning, data, _options(quality, method, steps))
            with closing(asked) as inverting:
                for news in inverting:
                    if turn.is_replaced:
                        return
                    if turn.is_stopped:
                        yield {parts.status: said("Stopped."), **_at_rest(parts)}
                        return
                    if isinstance(news, Progress):
                        told.append(news)
                        # Each time: of values that come in one moment, Gradio shows the last alone.
                        yield {**views.progressed(parts, given, told), **_at_work(parts)}
                        continue
                    _let_go(before)
                    shown = views.begun(parts, page, turning, news)
                    yield {work: news, live: _live(page, news), **shown, **_at_rest(parts)}
        except RelatentError:
            if not turn.is_replaced:
                yield {parts.status: said("Not inverted."), **_at_rest(parts)}
            raise

    return invert


def _taker(
    page: Page, parts: FirstParts, turning: Sequence[Dial], work: gr.State, live: gr.State
) -> Callable[..., views.Values]:
    """What puts a picture to work that another tab made."""

    def take(taken: TakenPicture, before: LiveEdits | None, turns: Turns) -> views.Values:
        turns.begin()
        begun = desk.take(page.client, page.pack, turning, taken)
        _let_go(before)
        shown = views.begun(parts, page, turning, begun)
        return {work: begun, live: _live(page, begun), **shown, **_at_rest(parts)}

    return take


def _editor(
    page: Page, parts: FirstParts, turning: Sequence[Dial], work: gr.State
) -> Callable[..., views.Values]:
    """What edits the picture as the sliders stand."""

    def edit(present: EditingWork | None, live: LiveEdits | None, against: str, *rest: Any) -> views.Values:
        if present is None or live is None:
            return {}
        positions = dict(zip((dial.name for dial in turning), rest[: len(turning)], strict=True))
        locked = [dial.name for dial, lock in zip(turning, rest[len(turning) :], strict=True) if lock]
        try:
            after = desk.turn(present, page.pack, turning, positions, locked, live)
        except RelatentError:
            if not live.is_closed:
                raise
        if live.is_closed:
            return {}  # another picture is at work by now, and what came of this one is no news
        moved = after.history.now.asked
        return {work: after, **views.turned(parts, page, turning, after, against, moved)}

    return edit


def _history(page: Page, parts: FirstParts, turning: Sequence[Dial], work: gr.State, editing: Any) -> None:
    """What goes to and fro between steps, and compares them."""

    def going(where: Callable[..., History]) -> Callable[..., views.Values]:
        def go(present: EditingWork | None, against: str, *place: int) -> views.Values:
            if present is None:
                return {}
            after = desk.at(present, where(present.history, *place))
            return {work: after, **views.anew(parts, page, turning, after, against)}

        return go

    ways: tuple[tuple[Any, Callable[..., History], list[Any]], ...] = (
        (parts.undo.click, History.undo, []),
        (parts.redo.click, History.redo, []),
        (parts.history.input, History.go, [parts.history]),
    )
    for trigger, where, place in ways:
        inputs = [work, parts.against, *place]
        page.on(trigger, going(where), inputs, [work, *parts.results], cancels=[editing])

    def compare(present: EditingWork | None, against: str) -> views.Values:
        return {} if present is None else {parts.pair: views.compared(present, against)}

    page.on(parts.against.input, compare, [work, parts.against], [parts.pair])


def _at_work(parts: FirstParts) -> views.Values:
    return {parts.start: gr.Button(interactive=False), parts.stop: gr.Button(interactive=True)}


def _at_rest(parts: FirstParts) -> views.Values:
    return {parts.start: gr.Button(interactive=True), parts.stop: gr.Button(interactive=False)}


def _options(quality: str | None, method: str, steps: str) -> InvertOptions:
    options = InvertOptions()
    if method:
        options["method"] = method
    elif quality:
        options["quality"] = quality
    if steps.strip():
        if not steps.strip().isdecimal():
            raise InputError(f"expected a whole number of steps, or nothing, got {steps.strip()!r}")
        options["steps"] = int(steps)
    return options


def _live(page: Page, work: EditingWork) -> LiveEdits:
    return LiveEdits(page.connection.patient, work.latent, picture_format(page.pack))


def _let_go(live: LiveEdits | None) -> None:
    if live is not None:
        live.close()
