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
