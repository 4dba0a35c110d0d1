from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from relatent_service.engine.engine import Array, EngineRejected, EngineTimedOut, EngineUnavailable
from relatent_service.engine.local import LocalEngine
from tests.fixtures.graph_builder import GraphBuilder
from tests.service.engine.models import double, write_model

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Minutes of work.
ENDLESS: dict[str, Array] = {"rounds": np.array([[100_000_000]], np.int32)}


async def test_it_serves_the_graphs_of_packs_only(local: LocalEngine) -> None:
    assert sorted(local.graphs) == ["toy_double", "toy_invert", "toy_pick", "toy_work"]
    assert local.graphs["toy_double"].parameters["relatent.revision"] == "0" * 64
    assert await local.healthy()


async def test_concurrent_calls_are_answered_each_by_itself(local: LocalEngine) -> None:
    inputs = [np.full((1 + i % 3, 3), i, np.float32) for i in range(8)]
    answers = await asyncio.gather(*(local.infer("toy_double", {"x": x}) for x in inputs))
    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer.outputs["y"], 2 * x)
        assert (answer.outputs["batch"] <= len(x)).all(), "with no other call's samples"


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": np.zeros((1, 3))}, r"x: expected float32 \[batch, 3\], got float64 \[1, 3\]"),
        ({"x": np.zeros((1, 4), np.float32)}, r"x: expected float32 \[batch, 3\], got float32 \[1, 4\]"),
        ({"x": np.zeros(3, np.float32)}, r"got float32 \[3\]"),
        ({"y": np.zeros((1, 3), np.float32)}, r"expected inputs \['x'\], got \['y'\]"),
        ({"x": np.zeros((0, 3), np.float32)}, "expected a batch of 1 to 16, got 0"),
        ({"x": np.zeros((17, 3), np.float32)}, "expected a batch of 1 to 16, got 17"),
    ],
)
async def test_malformed_inputs_are_rejected_with_what_was_expected(
    local: LocalEngine, inputs: dict[str, Array], message: str
) -> None:
    with pytest.raises(EngineRejected, match=message):
        await local.infer("toy_double", inputs)


async def test_inputs_of_different_batch_sizes_are_rejected(local: LocalEngine) -> None:
    inputs: dict[str, Array] = {"table": np.zeros((2, 4), np.float32), "index": np.zeros((1, 1), np.int64)}
    with pytest.raises(EngineRejected, match="expected one batch size"):
        await local.infer("toy_pick", inputs)


async def test_an_unknown_graph_is_rejected(local: LocalEngine) -> None:
    with pytest.raises(EngineRejected, match="no graph 'toy_nothing'"):
        await local.infer("toy_nothing", {})


async def test_a_failure_in_the_graph_is_a_rejection(local: LocalEngine) -> None:
    inputs: dict[str, Array] = {"table": np.zeros((1, 4), np.float32), "index": np.array([[9]], np.int64)}
    with pytest.raises(EngineRejected, match="toy_pick"):
        await local.infer("toy_pick", inputs)


async def test_a_call_that_timed_out_or_was_cancelled_stops_computing(local: LocalEngine) -> None:
    for _ in range(2):  # more than there are threads, were they not let go
        with pytest.raises(EngineTimedOut):
            await local.infer("toy_work", ENDLESS, timeout=0.1)
        call = asyncio.create_task(local.infer("toy_work", ENDLESS))
        await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await local.infer("toy_double", {"x": np.zeros((1, 3), np.float32)}, timeout=10)


async def test_a_stopped_engine_has_no_graphs(repository: Path) -> None:
    engine = LocalEngine(repository)
    await engine.start()
    await engine.stop()
    assert not engine.graphs
    assert not await engine.healthy()


async def start(repository: Path) -> None:
    engine = LocalEngine(repository)
    try:
        await engine.start()
    finally:
        await engine.stop()


async def test_a_repository_without_graphs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="expected at least one graph"):
        await start(tmp_path)


async def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    write_model(tmp_path, "toy_double", double())
    model, config = tmp_path / "toy_double" / "1" / "model.onnx", tmp_path / "toy_double" / "config.pbtxt"
    whole = model.read_bytes()
    model.write_bytes(whole[:100])
    with pytest.raises(EngineUnavailable, match=str(model)):
        await start(tmp_path)
    model.unlink()
    with pytest.raises(EngineUnavailable, match=f"{model}: no such file"):
        await start(tmp_path)
    model.write_bytes(whole)
    config.write_text(config.read_text().replace('name: "x"', 'name: "z"'))
    with pytest.raises(EngineUnavailable, match=r"inputs: expected \['z'\] as configured, got \['x'\]"):
        await start(tmp_path)
    config.write_text("nonsense {")
    with pytest.raises(EngineUnavailable, match=f"{config}: not a model configuration"):
        await start(tmp_path)


def unrunnable() -> onnx.ModelProto:
    """A graph that can be opened, and fails whenever it is run."""
    g = GraphBuilder("unrunnable")
    table = g.input("table", [4])
    beyond = g.op("Cast", g.op("Add", g.input("index", [1]), 9.0), to=TensorProto.INT64)
    g.output(g.op("GatherElements", table, beyond, axis=1), "value", [1])
    return g.model()


async def test_a_graph_that_cannot_be_run_is_noticed_at_the_start(tmp_path: Path) -> None:
    write_model(tmp_path, "toy_double", double())
    await start(tmp_path)
    write_model(tmp_path, "toy_unrunnable", unrunnable())
    with pytest.raises(EngineUnavailable, match="toy_unrunnable: cannot be run"):
        await start(tmp_path)
