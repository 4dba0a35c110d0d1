"""Ensembles in process compute what Triton's do: one graph after the other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from relatent_service.engine.engine import EngineUnavailable
from relatent_service.engine.local import LocalEngine
from tests.fixtures import tiny

pytestmark = pytest.mark.asyncio(loop_scope="function")


async def test_codes_become_images_and_readings_in_one_call(tmp_path: Path) -> None:
    _, repository = tiny.write_tiny(tmp_path)
    engine = LocalEngine(repository)
    await engine.start()
    try:
        w = np.random.default_rng(1).normal(scale=0.3, size=(3, *tiny.CODE)).astype(np.float32)
        answer = await engine.infer("tiny_read", {"w": w})
    finally:
        await engine.stop()
    np.testing.assert_array_equal(answer.outputs["image"], tiny.generate(w))
    np.testing.assert_allclose(answer.outputs["attributes"], tiny.readings(tiny.generate(w)), atol=1e-6)


async def test_an_ensemble_without_one_of_its_graphs_is_named(tmp_path: Path) -> None:
    _, repository = tiny.write_tiny(tmp_path)
    (repository / "tiny_attributes" / "config.pbtxt").unlink()
    with pytest.raises(EngineUnavailable, match="tiny_read: its graph tiny_attributes is missing"):
        await LocalEngine(repository).start()
