"""What graphs are warmed up with, in this process as in Triton."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from relatent_service.engine.engine import Array, EngineUnavailable
from relatent_service.engine.local import LocalEngine
from tests.service.engine.models import choosy, write_model

pytestmark = pytest.mark.asyncio(loop_scope="session")

ONE = np.array([1], "<i4").tobytes()


async def started(repository: Path) -> LocalEngine:
    engine = LocalEngine(repository)
    try:
        await engine.start()
    except BaseException:
        await engine.stop()
        raise
    return engine


async def test_a_graph_is_warmed_up_with_what_its_configuration_says(tmp_path: Path) -> None:
    write_model(tmp_path, "toy_choosy", choosy(), warmup={"steps": ONE})
    engine = await started(tmp_path)
    inputs: dict[str, Array] = {
        "table": np.array([[5, 6, 7, 8]], np.float32),
        "steps": np.array([[1]], np.int32),
    }
    assert (await engine.infer("toy_choosy", inputs)).outputs["value"] == 5
    await engine.stop()


async def test_without_data_of_its_own_it_is_warmed_up_with_zeros(tmp_path: Path) -> None:
    write_model(tmp_path, "toy_choosy", choosy())
    with pytest.raises(EngineUnavailable, match="toy_choosy: cannot be run"):
        await started(tmp_path)


async def test_warm_up_data_that_is_not_there_or_of_another_size_is_named(tmp_path: Path) -> None:
    write_model(tmp_path, "toy_choosy", choosy(), warmup={"steps": ONE[:3]})
    file = tmp_path / "toy_choosy" / "warmup" / "steps"
    with pytest.raises(EngineUnavailable, match=f"{file}: expected 4 bytes, got 3"):
        await started(tmp_path)
    file.unlink()
    with pytest.raises(EngineUnavailable, match=f"{file}: No such file.*the warm-up needs it"):
        await started(tmp_path)
