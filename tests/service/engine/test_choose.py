from __future__ import annotations

from pathlib import Path

import pytest

from relatent_service.engine.choose import EngineKind, choose_engine, describe
from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.engine import Engine
from relatent_service.engine.falling_back import FallingBackEngine
from relatent_service.engine.local import LocalEngine
from relatent_service.engine.triton import TritonEngine

REPOSITORY = Path("model_repository")


@pytest.mark.parametrize(
    ("kind", "addresses", "expected"),
    [
        (EngineKind.TRITON, ["127.0.0.1:1"], TritonEngine),
        (EngineKind.EMBEDDED, [], EmbeddedEngine),
        (EngineKind.LOCAL, ["127.0.0.1:1"], LocalEngine),
        (EngineKind.AUTO, ["127.0.0.1:1"], TritonEngine),
        (EngineKind.AUTO, [], FallingBackEngine),
    ],
)
def test_each_kind_is_what_its_name_says(
    kind: EngineKind, addresses: list[str], expected: type[object]
) -> None:
    assert type(choose_engine(kind, REPOSITORY, addresses)) is expected


@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        (TritonEngine(["127.0.0.1:1"]), {"engine": "triton", "note": ""}),
        (LocalEngine(REPOSITORY), {"engine": "local", "note": ""}),
        (EmbeddedEngine(REPOSITORY), {"engine": "embedded", "note": "", "triton": "", "triton_metrics": ""}),
        (
            FallingBackEngine(EmbeddedEngine(REPOSITORY), LocalEngine(REPOSITORY)),
            {"engine": "embedded", "note": "", "triton": "", "triton_metrics": ""},
        ),
    ],
)
def test_nothing_is_noted_where_there_is_no_better_engine(engine: Engine, expected: dict[str, str]) -> None:
    assert describe(engine) == expected


def test_triton_needs_an_address() -> None:
    with pytest.raises(ValueError, match="at least one address"):
        choose_engine(EngineKind.TRITON, REPOSITORY, [])
