"""Edits as a slider moves: what ends with a picture, and what a lost session costs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import create_autospec

import pytest

from relatent.client.blocking import Client
from relatent.client.errors import ClientStateError, ContractError, InputError, UnavailableError
from relatent.client.images import ImageFormat
from relatent.client.requests import Move, Operation
from relatent.client.results import SessionAnswer
from relatent.playground.tabs.edit.live import LiveEdits
from tests.relatent.playground.made import edited, latent

SMILE = [Move("smile", 1.0)]
SECONDS = 10


class HandSession:
    """A session that does what a test tells it to.

    Attributes:
        opening: done as it is opened.
        answering: done before each answer.
        closed: set as it is hung up on.
    """

    def __init__(self) -> None:
        self.opening: Callable[[], object] = lambda: None
        self.answering: Callable[[], object] = lambda: None
        self.closed = threading.Event()
        self._made = 0

    def __enter__(self) -> HandSession:
        self.opening()
        return self

    def change(self, operations: Sequence[Operation]) -> int:
        if self.closed.is_set():
            raise ClientStateError("the session takes no more changes")
        self._made += 1
        return self._made

    def answer(self, timeout: float) -> Any:
        self.answering()
        if self.closed.is_set():
            raise ClientStateError("the session is over")
        answer = create_autospec(SessionAnswer, instance=True)
        answer.number, answer.edited = self._made, edited()
        return answer

    def close(self) -> None:
        self.closed.set()


class Desk:
    """Live edits, whose sessions are made by hand: `sessions`, of which each opening takes the next."""

    def __init__(self, count: int) -> None:
        self.sessions = [HandSession() for _ in range(count)]
        client = create_autospec(Client)
        client.edit_session.side_effect = list(self.sessions)
        self.live = LiveEdits(client, latent(), ImageFormat.PNG)


def raising(error: Exception) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def test_nothing_is_opened_once_another_picture_is_at_work() -> None:
    desk = Desk(1)
    desk.live.close()
    desk.sessions[0].opening = raising(AssertionError("opened"))
    with pytest.raises(ClientStateError, match="another picture is at work"):
        desk.live.edit(SMILE)


def test_a_session_that_opens_as_its_picture_is_left_is_hung_up_on() -> None:
    desk = Desk(1)
    desk.sessions[0].opening = desk.live.close
    with pytest.raises(ClientStateError, match="another picture is at work"):
        desk.live.edit(SMILE)
    assert desk.sessions[0].closed.is_set()


async def test_letting_go_of_a_picture_waits_for_no_edit_and_ends_the_one_at_work() -> None:
    desk, at_work = Desk(2), threading.Event()
    first = desk.sessions[0]

    def wait() -> None:
        at_work.set()
        assert first.closed.wait(SECONDS)

    desk.live.edit(SMILE)
    first.answering = wait
    edit = asyncio.create_task(asyncio.to_thread(desk.live.edit, SMILE))
    assert await asyncio.to_thread(at_work.wait, SECONDS)
    began = time.monotonic()
    desk.live.close()
    assert time.monotonic() - began < SECONDS / 2
    with pytest.raises(ClientStateError, match="another picture is at work"):
        await asyncio.wait_for(edit, SECONDS)


async def test_a_session_that_takes_its_time_to_end_holds_up_no_event_loop() -> None:
    desk, may_end = Desk(1), threading.Event()
    desk.live.edit(SMILE)
    desk.sessions[0].close = may_end.wait  # type: ignore[assignment]
    desk.live.close()
    may_end.set()


@pytest.mark.parametrize(
    "error",
    [UnavailableError(None, "lost"), ContractError("unreadable"), InputError("tls.key: gone")],
    ids=["lost", "unreadable", "without files"],
)
def test_a_session_that_ended_by_an_error_is_opened_anew(error: Exception) -> None:
    desk = Desk(2)
    desk.live.edit(SMILE)
    desk.sessions[0].answering = raising(error)
    assert desk.live.edit(SMILE) is not None
    assert desk.sessions[0].closed.is_set()


def test_an_error_of_a_session_just_opened_is_told_and_the_next_edit_opens_another() -> None:
    desk = Desk(2)
    desk.sessions[0].answering = raising(ContractError("unreadable"))
    with pytest.raises(ContractError):
        desk.live.edit(SMILE)
    assert desk.live.edit(SMILE) is not None


def test_a_change_that_is_refused_leaves_the_session_open() -> None:
    desk = Desk(1)
    desk.live.edit(SMILE)
    refusal = UnavailableError(None, "no place")
    refusal.change = 2
    desk.sessions[0].answering = raising(refusal)
    with pytest.raises(UnavailableError):
        desk.live.edit(SMILE)
    assert not desk.sessions[0].closed.is_set()
