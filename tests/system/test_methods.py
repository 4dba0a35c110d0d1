"""Two methods through a real Triton: refinements share batches with their own kind, and with nobody else."""

from __future__ import annotations

import asyncio

import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc

import relatent
from relatent_service.channels import open_channel
from tests.fixtures import tiny
from tests.system.processes import ServiceProcess

EACH, STEPS = 8, 240


async def _statistics(address: str) -> dict[str, tuple[int, int]]:
    """Samples and runs of each graph so far."""
    async with open_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        answer = await stub.ModelStatistics(service_pb2.ModelStatisticsRequest())
    return {model.name: (model.inference_count, model.execution_count) for model in answer.model_stats}


async def test_refinements_of_two_methods_are_batched_with_their_own_kind_only(
    service: ServiceProcess,
) -> None:
    before = await _statistics(service.ready["triton"])
    async with relatent.AsyncClient(service.address, timeout=60) as client:
        alone = {
            method: await client.invert(tiny.random_image(3), method=method, start="mean", steps=STEPS)
            for method in ("hybrid", "momentum")
        }
        together = await asyncio.gather(
            *(
                client.invert(tiny.random_image(3), method=method, start="mean", steps=STEPS)
                for method in ("hybrid", "momentum")
                for _ in range(EACH)
            )
        )
    after = await _statistics(service.ready["triton"])
    for name, chunk, method in (
        ("tiny_refine", tiny.MAX_STEPS, "hybrid"),
        ("tiny_refine_momentum", tiny.MOMENTUM_STEPS, "momentum"),
    ):
        samples, runs = (now - then for now, then in zip(after[name], before[name], strict=True))
        # Not one chunk more than its own refinements have: no other's went through its graph.
        assert samples == (1 + EACH) * STEPS // chunk
        assert runs < 0.6 * samples, "hardly anything shared a batch"
        for inversion in together:
            if inversion.method == method:
                np.testing.assert_allclose(inversion.losses, alone[method].losses, rtol=1e-4, atol=1e-7)
    assert [inversion.method for inversion in together] == ["hybrid"] * EACH + ["momentum"] * EACH


async def test_diffusions_share_batches_with_inversions_of_their_method_and_come_out_as_alone(
    service: ServiceProcess,
) -> None:
    target, context, mask = tiny.random_image(1), tiny.random_image(2), np.zeros((8, 8, 3), np.uint8)
    mask[2:6, 2:6] = 255
    async with relatent.AsyncClient(service.address, timeout=60) as client:

        async def diffuse() -> relatent.Diffusion:
            return await client.diffuse(target, relatent.Within(mask), context, steps=STEPS)

        alone = await diffuse()
        before = await _statistics(service.ready["triton"])
        inverting = [client.invert(context, steps=STEPS) for _ in range(EACH)]
        together, _ = await asyncio.gather(
            asyncio.gather(*(diffuse() for _ in range(EACH))), asyncio.gather(*inverting)
        )
        after = await _statistics(service.ready["triton"])
    samples, runs = (
        now - then for now, then in zip(after["tiny_refine"], before["tiny_refine"], strict=True)
    )
    assert samples == 2 * EACH * STEPS // tiny.MAX_STEPS
    assert runs < 0.3 * samples, "the two kinds did not share batches"
    for each in together:
        np.testing.assert_allclose(each.inversion.losses, alone.inversion.losses, rtol=1e-4, atol=1e-7)
        np.testing.assert_array_equal(each.image.array, alone.image.array)
