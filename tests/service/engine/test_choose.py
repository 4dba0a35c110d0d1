from __future__ import annotations

import logging
from pathlib import Path

import pytest

from service.engine import choose
from service.engine.choose import EngineKind, choose_engine, settle
from service.engine.embedded_engine import EmbeddedEngine
from service.engine.local import LocalEngine
from service.engine.triton import TritonEngine

REPOSITORY = Path("model_repository")


@pytest.mark.parametrize(
    ("kind", "addresses", "expected"),
    [
        (EngineKind.TRITON, ["127.0.0.1:1"], TritonEngine),
        (EngineKind.EMBEDDED, [], EmbeddedEngine),
        (EngineKind.LOCAL, ["127.0.0.1:1"], LocalEngine),
        (EngineKind.AUTO, ["127.0.0.1:1"], TritonEngine),
        (EngineKind.AUTO, [], EmbeddedEngine),
    ],
)
def test_each_kind_is_what_its_name_says(
    kind: EngineKind, addresses: list[str], expected: type[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "why_not", lambda: None)
    assert type(choose_engine(kind, REPOSITORY, addresses)) is expected


def test_auto_falls_back_to_this_process_and_says_why_in_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(choose, "why_not", lambda: "no libpython: apt-get install libpython3.11")
    with caplog.at_level(logging.INFO):
        assert type(choose_engine(EngineKind.AUTO, REPOSITORY, [])) is LocalEngine
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "apt-get install libpython3.11" in record.message
    assert "\n" not in record.message
    choice = settle(EngineKind.AUTO, [])
    assert (choice.kind, choice.note) == (EngineKind.LOCAL, record.message)


@pytest.mark.parametrize("kind", EngineKind)
def test_nothing_is_noted_where_there_is_no_better_engine(
    kind: EngineKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choose, "why_not", lambda: None)
    assert settle(kind, []).note == ""


def test_triton_needs_an_address() -> None:
    with pytest.raises(ValueError, match="at least one address"):
        choose_engine(EngineKind.TRITON, REPOSITORY, [])
