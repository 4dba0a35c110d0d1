"""Every promise about faults, with the fault caused for real."""

import asyncio
import time
from typing import Any

import grpc
import numpy as np
import onnxruntime as ort
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import relatent
from relatent.v1 import inversion_pb2 as v1
from relatent.v1 import inversion_pb2_grpc
from tests.fixtures import tiny
from tests.fixtures.requests import image, reason

STEPS = 400
CHUNKS = STEPS // tiny.MAX_STEPS


LONG_STEPS = 2000
"""Of inversions that must outlive what else a test does meanwhile, on a busy machine too."""


class Progress:
    """How far many inversions are, so that a fault can be caused in their midst."""

    def __init__(self, count):
        self._steps = [0] * count
        self._quarter = asyncio.Event()

    def of(self, index):
        def report(progress):
            self._steps[index] = progress.steps
            if sum(self._steps) >= len(self._steps) * STEPS / 4:
                self._quarter.set()

        return report

    async def well_under_way(self):
        """Wait until a quarter of all the steps is done."""
        await asyncio.wait_for(self._quarter.wait(), 60)
        assert sum(self._steps) < len(self._steps) * STEPS


async def invert_all(client, count, progress=None, steps=STEPS):
    return await asyncio.gather(
        *(
            client.invert(
                tiny.random_image(seed),
                steps=steps,
                timeout=90,
                progress=progress.of(seed) if progress else None,
            )
            for seed in range(count)
        )
    )


@pytest.fixture(scope="module")
def undisturbed(tiny_root):
    """The loss curves of the 16 inversions when nothing happens to them, [16, STEPS]."""

    def graph(kind):
        path = tiny_root / f"model_repository/tiny_{kind}/1/model.onnx"
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return lambda fed: dict(zip(names, session.run(None, fed), strict=True))

    targets = np.stack([tiny.random_image(seed) for seed in range(16)])
    code = graph("encode")({"image": targets})["w"]
    ones, initial = np.ones((16, 1), np.float32), {"code": code, "zeros": 0.0, "infinity": np.inf}
    inputs: dict[str, Any] = {
        f"state.{name}": np.broadcast_to(initial[kind], (16, *shape)).astype(np.float32)
        for name, (shape, kind) in tiny.STATE.items()
    }
    inputs |= {f"weight.{name}": ones * weight for name, weight in tiny.WEIGHTS.items()}
    inputs |= {"target": targets, "mask": np.full((16, 8, 8), 255, np.uint8), "learning_rate": ones * 0.02}
    inputs["steps"] = np.full((16, 1), tiny.MAX_STEPS, np.int32)
    refine, losses = graph("refine"), []
    for _ in range(CHUNKS):
        outputs = refine(inputs)
        inputs |= {f"state.{name}": outputs[f"next.{name}"] for name in tiny.STATE}
        losses.append(outputs["losses"])
    return np.concatenate(losses, axis=1)


def check_whole(inversions, undisturbed, steps=STEPS):
    """Every inversion took the way that it would have taken undisturbed, to its end."""
    for inversion, expected in zip(inversions, undisturbed, strict=False):
        assert inversion.steps == len(inversion.losses) == steps
        np.testing.assert_allclose(inversion.losses[:STEPS], expected, rtol=0.02, atol=1e-6)


async def test_a_triton_killed_amid_16_refinements_loses_none_and_is_started_again(
    start_service, undisturbed
):
    (service,) = start_service(1)
    killed = service.triton_pid()
    async with relatent.AsyncClient(service.address) as client:
        progress = Progress(16)
        work = asyncio.create_task(invert_all(client, 16, progress))
        await progress.well_under_way()
        service.kill_triton()
        check_whole(await work, undisturbed)
        assert service.triton_pid() != killed
        assert service.metric("relatent_triton_retries_total") > 0
        # The service repeated the chunks itself: no call of a client failed.
        assert service.metric("grpc_server_handled_total", grpc_code="OK") == 16
        assert service.metric("grpc_server_started_total", grpc_method="InvertStream") == 16
        assert service.metric("relatent_refinement_steps_total", graph="tiny_refine") == 16 * STEPS


async def test_a_service_killed_amid_16_inversions_loses_none_when_the_client_knows_another(
    start_service, undisturbed
):
    first, second = start_service(2)
    async with relatent.AsyncClient([first.address, second.address]) as client:
        progress = Progress(16)
        work = asyncio.create_task(invert_all(client, 16, progress))
        await progress.well_under_way()
        on_first = first.metric("relatent_inflight")
        on_second = second.metric("relatent_refinement_steps_total", graph="tiny_refine")
        first.kill()
        inversions = await work
        check_whole(inversions, undisturbed)
        assert on_first > 0
        assert sum(inversion.resumed for inversion in inversions) == on_first
        # What was done on the first is not done again, but for the chunk that was lost with it.
        done = second.metric("relatent_refinement_steps_total", graph="tiny_refine") - on_second
        assert done < 16 * STEPS * 0.9


async def test_a_cancelled_inversion_frees_its_place_within_a_chunk(start_service):
    (service,) = start_service(1, "--max-inflight", "1")
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = inversion_pb2_grpc.InversionServiceStub(channel)
        options = v1.InversionOptions(refinement=v1.Refinement(steps=2000))
        call = stub.InvertStream(v1.InvertStreamRequest(image=image(), options=options), timeout=60)
        while (await call.read()).progress.steps < 100:
            pass
        waiting = stub.Invert(
            v1.InvertRequest(image=image(2), options=v1.InversionOptions(refinement=v1.Refinement(steps=0))),
            timeout=30,
        )
        await asyncio.sleep(0.05)
        assert not waiting.done()
        before = service.metric("relatent_refinement_steps_total", graph="tiny_refine")
        call.cancel()
        await waiting
        after = service.metric("relatent_refinement_steps_total", graph="tiny_refine")
        # Between reading the metric and hanging up some chunks go by; nothing like the 1,900 steps left.
        assert after - before < 1000
        await asyncio.sleep(0.3)
        assert service.metric("relatent_refinement_steps_total", graph="tiny_refine") == after
        assert service.metric("relatent_inflight") == 0


async def test_without_its_triton_it_is_not_serving_and_the_deadline_is_answered_unavailable(start_service):
    (service,) = start_service(1)
    async with grpc.aio.insecure_channel(service.address) as channel:
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=180)
        assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
        service.kill_triton()
        stub = inversion_pb2_grpc.InversionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            await stub.Invert(v1.InvertRequest(image=image()), timeout=1.0)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason(caught.value) == "ENGINE_UNAVAILABLE"
        assert (await health.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert (await health.read()).status == health_pb2.HealthCheckResponse.SERVING
        assert (await stub.Invert(v1.InvertRequest(image=image()), timeout=60)).result.steps == 20
        health.cancel()


async def test_told_to_stop_it_finishes_what_is_under_way_and_takes_nothing_new(start_service):
    (service,) = start_service(1)
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = inversion_pb2_grpc.InversionServiceStub(channel)
        options = v1.InversionOptions(refinement=v1.Refinement(steps=LONG_STEPS))
        calls = [
            stub.InvertStream(v1.InvertStreamRequest(image=image(n), options=options), timeout=60)
            for n in range(4)
        ]
        for call in calls:
            await call.read()
        service.terminate()
        while not service.log_lines("draining"):
            await asyncio.sleep(0.01)
        with pytest.raises(grpc.RpcError) as caught:
            await stub.Invert(v1.InvertRequest(image=image()), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert reason(caught.value) == "DRAINING"
        for call in calls:
            last: Any = None
            while (event := await call.read()) is not grpc.aio.EOF:
                last = event
            assert last.result.steps == LONG_STEPS
    assert await asyncio.to_thread(service.wait, 20) == 0


async def test_a_drain_that_takes_too_long_hands_the_rest_to_another_server(start_service, undisturbed):
    first, second = start_service(2, "--drain-seconds", "0.1")
    async with relatent.AsyncClient([first.address, second.address]) as client:
        progress = Progress(4)
        work = asyncio.create_task(invert_all(client, 4, progress, LONG_STEPS))
        await progress.well_under_way()
        on_first = first.metric("relatent_inflight")
        began = time.monotonic()
        first.terminate()
        inversions = await work
        check_whole(inversions, undisturbed, LONG_STEPS)
        assert sum(inversion.resumed for inversion in inversions) == on_first > 0
    assert await asyncio.to_thread(first.wait, 20) == 0
    assert time.monotonic() - began < 20
