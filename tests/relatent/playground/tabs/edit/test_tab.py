"""The first screen's events, without a page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import create_autospec

import pytest

from relatent.client.blocking import Client
from relatent.client.errors import ClientStateError
from relatent.client.images import ImageFormat
from relatent.playground.tabs.edit import desk, tab
from relatent.playground.tabs.edit.live import LiveEdits
from tests.relatent.playground.made import PACK, latent


def edits(live: LiveEdits) -> Any:
    """What the page is told of an edit."""
    page: Any = SimpleNamespace(pack=PACK)
    parts: Any = None
    work: Any = None
    present: Any = object()
    return tab._editor(page, parts, (), work)(present, live, "")


def test_an_edit_of_a_picture_that_was_left_changes_nothing_on_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live = LiveEdits(create_autospec(Client), latent(), ImageFormat.PNG)

    def left_at_work(*words: Any) -> Any:
        live.close()
        raise ClientStateError("another picture is at work")

    monkeypatch.setattr(desk, "turn", left_at_work)
    assert edits(live) == {}
    monkeypatch.setattr(desk, "turn", lambda *words: object())
    assert edits(live) == {}


def test_an_edit_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: Any) -> Any:
        raise ClientStateError("the client is closed")

    monkeypatch.setattr(desk, "turn", fail)
    with pytest.raises(ClientStateError):
        edits(LiveEdits(create_autospec(Client), latent(), ImageFormat.PNG))
