"""What the way through client, service and Triton costs.

Eight inversions at a time go through the real client, service and Triton, each a process of its own
on the same cores: image in, encoder, refinement, synthesis, assessment, answer out. Only their
refinement steps are counted. The other side is nothing but the refinement graph, straight through
ONNX Runtime, at batch 8. Both by turns in one run.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bench.graphs import Graphs, targets
from bench.measurement import BenchSettings
from bench.serving import Work, added, invert_all, mean_batch, served, shares
from bench.timing import ratios, seconds, significant, spread
from relatent import AsyncClient
from relatent.core.methods import StartRule
from relatent.core.pack import read_pack
from relatent_export.analysis.refining import ExportedRefinement

CONCURRENCY = 8


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `efficiency`, the served steps a second over the direct ones, and where the served time went.
    """
    return asyncio.run(_run(settings))


async def _run(settings: BenchSettings) -> dict[str, Any]:
    rounds, steps = (2, 20) if settings.quick else (9, 100)
    pack = read_pack(settings.packs / settings.pack)
    graphs = Graphs(pack, settings.repository)
    images = targets(graphs, CONCURRENCY)
    codes = graphs.encode(images)

    def direct() -> None:
        ExportedRefinement(graphs, codes, images, pack.default_method.rates[StartRule.ENCODER]).advance(steps)

    through: list[float] = []
    straight: list[float] = []
    work: Work = {}
    async with served(settings, max_inflight=CONCURRENCY) as service, AsyncClient(service.address) as client:
        for turn in range(rounds + 1):
            # In a thread: the client's connection lives on this one's event loop.
            alone = await asyncio.to_thread(seconds, direct) if turn % 2 else 0.0
            before = await service.work()
            taken = await invert_all(client, list(images), concurrency=CONCURRENCY, steps=steps)
            done = await service.work_since(before)
            alone = alone or await asyncio.to_thread(seconds, direct)
            if turn > 0:  # the first warms everything up
                through.append(taken)
                straight.append(alone)
                work = added(work, done)
    efficiency = spread(ratios(straight, through))
    count = CONCURRENCY * steps
    return {
        "efficiency": significant(efficiency.median),
        "efficiency_spread": efficiency.as_json(),
        "served_steps_a_second": spread([count / taken for taken in through]).as_json(),
        "direct_steps_a_second": spread([count / alone for alone in straight]).as_json(),
        "mean_batch": mean_batch(work, f"{pack.name}_refine"),
        "share_of_served_time": shares(work, sum(through)),
        "engine": settings.engine,
        "concurrency": CONCURRENCY,
        "steps": steps,
        "rounds": rounds,
    }
