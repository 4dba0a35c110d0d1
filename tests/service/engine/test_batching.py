"""What the embedded Triton's dynamic batcher and our backend make of concurrent requests."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
from pathlib import Path

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from relatent_service.channels import open_channel
from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.embedded.processes import children_of
from relatent_service.engine.engine import Array, EngineRejected, EngineTimedOut
from relatent_service.engine.local import LocalEngine
from tests.service.engine.models import IMAGE

pytestmark = pytest.mark.asyncio(loop_scope="session")


def numbers(first: int, count: int) -> Array:
    return np.arange(first, first + 3 * count, dtype=np.float32).reshape(count, 3)


def rounds(count: int) -> dict[str, Array]:
    return {"rounds": np.array([[count]], np.int32)}


async def test_concurrent_requests_share_runs_and_each_gets_its_own_answer(embedded: EmbeddedEngine) -> None:
    inputs = [numbers(100 * i, 1 + i % 3) for i in range(24)]
    answers = await asyncio.gather(*(embedded.infer("toy_double", {"x": x}) for x in inputs))
    for x, answer in zip(inputs, answers, strict=True):
        np.testing.assert_array_equal(answer.outputs["y"], 2 * x)
        assert answer.outputs["batch"].shape == (len(x), 1)
    assert max(float(answer.outputs["batch"].max()) for answer in answers) > max(len(x) for x in inputs)


async def test_a_request_that_fails_in_the_graph_takes_no_batch_mate_along(embedded: EmbeddedEngine) -> None:
    table = np.arange(4, dtype=np.float32)[None]
    indices = [0, 1, 77, 2, 3, -90, 1, 2]

    async def pick(index: int) -> dict[str, Array]:
        inputs: dict[str, Array] = {"table": table, "index": np.array([[index]], np.int64)}
        return (await embedded.infer("toy_pick", inputs)).outputs

    answers = await asyncio.gather(*map(pick, indices), return_exceptions=True)
    for index, answer in zip(indices, answers, strict=True):
        if 0 <= index < 4:
            assert isinstance(answer, dict)
            assert answer["value"].tolist() == [[index]]
        else:
            assert isinstance(answer, EngineRejected)
            assert "index" in str(answer)


@pytest.mark.parametrize(
    ("datatype", "array", "message"),
    [
        ("INT32", np.zeros((1, 3), np.int32), "data-type"),
        ("FP32", np.zeros((1, 4), np.float32), "shape"),
        ("FP32", np.zeros((17, 3), np.float32), "batch"),
    ],
)
async def test_triton_itself_refuses_a_malformed_request_and_answers_its_neighbours(
    embedded: EmbeddedEngine, datatype: str, array: Array, message: str
) -> None:
    async def send_malformed() -> str:
        request = service_pb2.ModelInferRequest(model_name="toy_double")
        request.inputs.add(name="x", datatype=datatype, shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
        async with open_channel(embedded.triton.address) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        return caught.value.details() or ""

    x = numbers(0, 2)
    neighbours = asyncio.gather(*(embedded.infer("toy_double", {"x": x}) for _ in range(3)))
    details, answers = await asyncio.gather(send_malformed(), neighbours)
    assert message in details
    for answer in answers:
        np.testing.assert_array_equal(answer.outputs["y"], 2 * x)


async def test_messages_beyond_grpcs_default_limit_pass(embedded: EmbeddedEngine) -> None:
    images = np.random.default_rng(0).integers(0, 256, (8, *IMAGE), np.uint8)
    assert images.nbytes > 4 << 20
    answer = await embedded.infer("toy_invert", {"image": images})
    np.testing.assert_array_equal(answer.outputs["image_out"], 255 - images)


async def test_triton_and_this_process_give_the_same(embedded: EmbeddedEngine, local: LocalEngine) -> None:
    assert embedded.graphs == local.graphs
    assert sorted(embedded.graphs) == ["toy_double", "toy_invert", "toy_pick", "toy_work"]
    cases: dict[str, dict[str, Array]] = {
        "toy_double": {"x": numbers(5, 4)},
        "toy_work": {"rounds": np.array([[3], [5]], np.int32)},
    }
    for graph, inputs in cases.items():
        answers = await asyncio.gather(embedded.infer(graph, inputs), local.infer(graph, inputs))
        remote, here = (answer.outputs for answer in answers)
        assert remote.keys() == here.keys()
        for name in here:
            assert remote[name].dtype == here[name].dtype
            np.testing.assert_array_equal(remote[name], here[name])


async def test_a_call_takes_no_longer_than_its_timeout_and_then_no_place_in_a_batch(
    embedded: EmbeddedEngine,
) -> None:
    began = time.monotonic()
    await embedded.infer("toy_work", rounds(1000))
    two_seconds = rounds(int(2000 / (time.monotonic() - began)))
    running = asyncio.create_task(embedded.infer("toy_work", two_seconds))
    await asyncio.sleep(0.2)
    waiting = [embedded.infer("toy_work", rounds(1), timeout=0.1) for _ in range(3)]
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert not running.done(), "they did not wait for it"
    assert [type(outcome) for outcome in outcomes] == [EngineTimedOut] * 3
    patient = await embedded.infer("toy_work", rounds(1))
    assert patient.outputs["batch"].tolist() == [[1]]
    assert (await running).outputs["batch"].tolist() == [[1]]


async def test_a_cancelled_call_takes_no_place_in_a_batch(embedded: EmbeddedEngine) -> None:
    began = time.monotonic()
    await embedded.infer("toy_work", rounds(1000))
    two_seconds = rounds(int(2000 / (time.monotonic() - began)))
    running = asyncio.create_task(embedded.infer("toy_work", two_seconds))
    await asyncio.sleep(0.1)
    impatient = [asyncio.create_task(embedded.infer("toy_work", rounds(1))) for _ in range(3)]
    await asyncio.sleep(0.1)
    for call in impatient:
        call.cancel()
    outcomes = await asyncio.gather(*impatient, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [asyncio.CancelledError] * 3
    patient = await embedded.infer("toy_work", rounds(1))
    assert patient.outputs["batch"].tolist() == [[1]]
    await running


async def test_an_idle_triton_leaves_the_cores_alone(embedded: EmbeddedEngine) -> None:
    await embedded.infer("toy_work", rounds(50))
    pid = embedded.triton.pid
    assert pid is not None
    before = [cpu_seconds(process) for process in [pid, *children_of(pid)]]
    await asyncio.sleep(1)
    after = [cpu_seconds(process) for process in [pid, *children_of(pid)]]
    assert sum(after) - sum(before) < 0.3


def cpu_seconds(process: int) -> float:
    with open(f"/proc/{process}/stat") as file:
        user, system = file.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


async def test_tritons_workers_report_to_nobody(embedded: EmbeddedEngine) -> None:
    assert embedded.triton.pid is not None
    workers = children_of(embedded.triton.pid)
    assert workers
    for worker in workers:
        assert b"ORT_DISABLE_TELEMETRY=1" in Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")


async def test_triton_publishes_metrics_on_loopback(embedded: EmbeddedEngine) -> None:
    await embedded.infer("toy_double", {"x": numbers(0, 1)})
    url = f"http://{embedded.triton.metrics_address}/metrics"
    with await asyncio.to_thread(urllib.request.urlopen, url) as answer:
        text = answer.read().decode()
    assert 'nv_inference_count{model="toy_double"' in text
