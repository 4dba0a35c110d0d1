"""Where an embedded Triton does not start, for whatever reason, graphs run in this process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from relatent_service.engine.choose import EngineKind, choose_engine, describe
from relatent_service.engine.embedded import child, locations
from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.embedded.installation import InstallationError, find_installation
from relatent_service.engine.engine import Answer, Array, EngineUnavailable
from relatent_service.engine.falling_back import FallingBackEngine
from relatent_service.engine.local import LocalEngine
from tests.service.engine.models import double, write_model

pytestmark = pytest.mark.asyncio(loop_scope="session")

X: dict[str, Array] = {"x": np.ones((1, 3), np.float32)}


def no_libpython() -> None:
    raise InstallationError("no libpython: apt-get install libpython3.11")


def no_process_ids(process: int, flags: int = 0) -> int:
    raise PermissionError(1, "Operation not permitted")


def install(patch: pytest.MonkeyPatch, program: Path, text: str) -> None:
    """Let a program stand where Triton's is."""
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    found = replace(find_installation(), server=program)
    patch.setattr(child, "find_installation", lambda: found)


Break = Callable[[pytest.MonkeyPatch, Path], None]
FAULTS: dict[str, Break] = {
    "no libpython: apt-get install libpython3.11": lambda patch, path: patch.setattr(
        child, "find_installation", no_libpython
    ),
    "absent does not exist): mount one, with docker --tmpfs /tmp:exec": lambda patch, path: patch.setattr(
        child, "temporary_folders", lambda: [path / "absent"]
    ),
    "absent does not exist: give the container more, with docker --shm-size": (
        lambda patch, path: patch.setattr(locations, "REGIONS", path / "absent")
    ),
    "it needs 953674.3 MiB of shared memory": lambda patch, path: patch.setattr(
        child, "shared_memory_needed", lambda repository: 10**12
    ),
    "Triton cannot start: [Errno 1] Operation not permitted": lambda patch, path: patch.setattr(
        os, "pidfd_open", no_process_ids
    ),
    "it ended with code 1; it said: no GPU, no luck": lambda patch, path: install(
        patch, path / "triton", "echo no GPU, no luck; exit 1"
    ),
    "it was not ready after 1 s": lambda patch, path: install(patch, path / "triton", "exec sleep 60"),
}


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    write_model(tmp_path / "models", "toy_double", double())
    return tmp_path / "models"


@pytest.mark.parametrize("message", FAULTS)
async def test_auto_serves_from_this_process_whatever_keeps_triton_from_starting_and_says_so_once_in_one_line(
    message: str,
    toy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if "it was not ready" in message:
        monkeypatch.setattr(child, "START_SECONDS", 1)
    FAULTS[message](monkeypatch, tmp_path)
    engine = choose_engine(EngineKind.AUTO, toy, [])
    with caplog.at_level(logging.WARNING):
        await engine.start()
        await engine.stop()
        await engine.start()
    try:
        told = describe(engine)
        assert told["engine"] == "local"
        assert message in told["note"]
        assert "\n" not in told["note"]
        assert [record.message for record in caplog.records if "no embedded" in record.message] == [
            told["note"]
        ]
        assert await engine.healthy()
        np.testing.assert_array_equal((await engine.infer("toy_double", X)).outputs["y"], 2 * X["x"])
    finally:
        await engine.stop()


@pytest.mark.parametrize("message", FAULTS)
async def test_told_to_embed_triton_it_says_what_is_in_the_way(
    message: str, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "it was not ready" in message:
        monkeypatch.setattr(child, "START_SECONDS", 1)
    FAULTS[message](monkeypatch, tmp_path)
    engine = EmbeddedEngine(toy)
    with pytest.raises(EngineUnavailable) as caught:
        await engine.start()
    assert message in str(caught.value).replace("\n", " ")
    assert (await engine.healthy(), engine.triton.pid) == (False, None)


async def test_where_neither_starts_the_fault_is_told_and_triton_is_tried_again_once_it_is_mended(
    toy: Path, tmp_path: Path
) -> None:
    model = toy / "toy_double" / "1" / "model.onnx"
    whole = model.read_bytes()
    model.unlink()
    engine = choose_engine(EngineKind.AUTO, toy, [])
    with pytest.raises(EngineUnavailable, match=f"{model}: no such file"):
        await engine.start()
    model.write_bytes(whole)
    try:
        await engine.start()
        assert describe(engine)["engine"] == "embedded"
        assert describe(engine)["note"] == ""
    finally:
        await engine.stop()


class Mute(EmbeddedEngine):
    """Starts, and answers nothing."""

    async def start(self) -> None: ...

    async def infer(self, graph: str, inputs: object, timeout: float | None = None) -> Answer:
        raise EngineUnavailable("Failed to increase the shared memory pool size")


async def test_a_triton_that_starts_and_then_answers_nothing_is_given_up_as_well(toy: Path) -> None:
    engine = FallingBackEngine(Mute(toy), LocalEngine(toy))
    await engine.start()
    with pytest.raises(EngineUnavailable):
        await engine.infer("toy_double", X)
    await engine.stop()
    await engine.start()
    assert (await engine.infer("toy_double", X)).outputs["y"][0, 0] == 2
    assert "it started, but toy_double failed: Failed to increase" in describe(engine)["note"]
    await engine.stop()
