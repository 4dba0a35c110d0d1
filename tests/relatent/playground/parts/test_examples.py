"""Pictures to click, whoever comes first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock, create_autospec

import pytest

from relatent.client.blocking import Client
from relatent.client.errors import UnavailableError
from relatent.client.results import SynthesizedImage
from relatent.playground.parts.examples import MOST, SEEDS, Examples
from tests.relatent.playground.made import PACK, latent, picture

SECONDS = 10
NAMES = [f"sample-{seed}.png" for seed in SEEDS]


@pytest.fixture
def client() -> Mock:
    client: Mock = create_autospec(Client)
    client.sample.return_value = [SynthesizedImage(latent(), picture())] * len(SEEDS)
    return client


def names(found: tuple[Path, ...]) -> list[str]:
    return [path.name for path in found]


def test_drawings_of_a_checkout_are_shown_and_nothing_is_asked_for(client: Mock, tmp_path: Path) -> None:
    drawings = tmp_path / "packs" / PACK.name / "drawings"
    drawings.mkdir(parents=True)
    for number in range(MOST + 1):
        (drawings / f"{number}.png").touch()
    assert len(Examples(client, tmp_path / "packs", tmp_path / "kept").of(PACK)) == MOST
    client.sample.assert_not_called()


def test_visitors_who_come_at_once_see_the_same_samples_and_all_of_them(client: Mock, tmp_path: Path) -> None:
    made, begun, goes_on = client.sample.return_value, threading.Event(), threading.Event()

    def slow(*words: Any, **fields: Any) -> Any:
        begun.set()
        assert goes_on.wait(SECONDS)
        return made

    client.sample.side_effect = slow
    examples = Examples(client, tmp_path / "none", tmp_path / "kept")
    with ThreadPoolExecutor(3) as visitors:
        first = visitors.submit(examples.of, PACK)
        assert begun.wait(SECONDS)
        others = [visitors.submit(examples.of, PACK) for _ in range(2)]
        goes_on.set()
        assert [names(each.result(SECONDS)) for each in (first, *others)] == [NAMES] * 3
    assert client.sample.call_count == 1


def test_samples_that_could_not_be_kept_whole_are_made_again(
    client: Mock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = Examples(client, tmp_path / "none", tmp_path / "kept")
    with monkeypatch.context() as full:
        full.setattr(type(picture()), "save", Mock(side_effect=[None, OSError("no space left")]))
        with pytest.raises(OSError, match="no space"):
            examples.of(PACK)
    assert names(examples.of(PACK)) == NAMES


def test_a_service_that_makes_none_leaves_the_page_without(client: Mock, tmp_path: Path) -> None:
    client.sample.side_effect = UnavailableError(None, "lost")
    assert Examples(client, tmp_path / "none", tmp_path / "kept").of(PACK) == ()
