from __future__ import annotations

import subprocess
import sys
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


def started_without_onnx_runtime(*flags: str) -> subprocess.CompletedProcess[str]:
    """The service where ONNX Runtime is not installed, as in its image, whose Tritons are elsewhere."""
    code = (
        "import runpy, sys; sys.modules['onnxruntime'] = None; "
        "runpy.run_module('relatent_service', run_name='__main__')"
    )
    listen = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    command = [sys.executable, "-c", code, *listen, *flags]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("kind", [EngineKind.LOCAL, EngineKind.AUTO])
def test_without_onnx_runtime_it_ends_and_says_what_to_do(kind: EngineKind) -> None:
    ended = started_without_onnx_runtime("--engine", kind)
    assert ended.returncode == 2
    assert "onnxruntime is not installed" in ended.stderr
    assert "--triton or RELATENT_TRITON" in ended.stderr
    assert "Traceback" not in ended.stderr
