"""What is gained when many inversions are under way at once.

Inversions a second at each number of callers, through the real client, service and Triton, and the
batches that Triton made of them. On a CPU the gain is small: a batch of eight costs nearly eight
times one, since one already keeps the cores busy. Where it comes from is measured in the same run: the
refinement graph's own gain, straight through ONNX Runtime at the same batch; the rest is what callers
hide of each other's way through client and service.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bench.graphs import Graphs, targets
from bench.measurement import BenchSettings
from bench.serving import Served, Work, added, invert_all, mean_batch, served, shares
from bench.timing import ratios, seconds, significant, spread
from relatent import AsyncClient
from relatent.core.methods import StartRule
from relatent.core.pack import read_pack
from relatent_export.analysis.refining import ExportedRefinement

CONCURRENCIES = (1, 2, 4, 8, 16)


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `gain_8_over_1`, served inversions a second at eight callers over those at one; the same of
        the graph alone, `graph_gain_8_over_1`; their quotient, `hidden_8_over_1`; and the rates for
        each number of callers.
    """
    return asyncio.run(_run(settings))


async def _run(settings: BenchSettings) -> dict[str, Any]:
    rounds, steps, callers = (1, 8, (1, 8)) if settings.quick else (5, 50, CONCURRENCIES)
    pack = read_pack(settings.packs / settings.pack)
    graphs = Graphs(pack, settings.repository)
    levels = {count: _Level(graphs, count, steps) for count in callers}
    async with served(settings, max_inflight=max(callers)) as service, AsyncClient(service.address) as client:
        await invert_all(client, list(levels[8].images), concurrency=8, steps=steps)
        for turn in range(rounds):
            for count in callers if turn % 2 == 0 else reversed(callers):
                await levels[count].measure(client, service, graph_first=turn % 2 == 1)
    one, eight = levels[1], levels[8]
    gain = spread(ratios(eight.served_rates, one.served_rates))
    graph_gain = spread(ratios(eight.graph_rates, one.graph_rates))
    return {
        "gain_8_over_1": significant(gain.median),
        "gain_8_over_1_spread": gain.as_json(),
        "graph_gain_8_over_1": significant(graph_gain.median),
        "graph_gain_8_over_1_spread": graph_gain.as_json(),
        "hidden_8_over_1": significant(gain.median / graph_gain.median),
        "callers": {str(count): level.as_json(f"{pack.name}_refine") for count, level in levels.items()},
        "engine": settings.engine,
        "steps": steps,
        "rounds": rounds,
    }


class _Level:
    """The measurements at one number of callers."""

    def __init__(self, graphs: Graphs, callers: int, steps: int) -> None:
        self._callers, self._steps = callers, steps
        self.images = targets(graphs, max(callers, 4))
        batch = self.images[:callers]
        rate = graphs.pack.default_method.rates[StartRule.ENCODER]
        self._refinement = ExportedRefinement(graphs, graphs.encode(batch), batch, rate)
        self._refinement.advance(1)  # the first time is another matter
        self.served_rates: list[float] = []
        """Inversions a second, through everything, in each round."""
        self.graph_rates: list[float] = []
        """Refinements a second, the graph alone at this batch, in each round."""
        self._seconds = 0.0
        self._work: Work = {}

    async def measure(self, client: AsyncClient, service: Served, *, graph_first: bool) -> None:
        alone = await self._graph_alone() if graph_first else 0.0
        before = await service.work()
        taken = await invert_all(client, list(self.images), concurrency=self._callers, steps=self._steps)
        self._work = added(self._work, await service.work_since(before))
        alone = alone or await self._graph_alone()
        self.served_rates.append(len(self.images) / taken)
        self.graph_rates.append(self._callers / alone)
        self._seconds += taken

    async def _graph_alone(self) -> float:
        return await asyncio.to_thread(seconds, lambda: self._refinement.advance(self._steps))

    def as_json(self, refine: str) -> dict[str, Any]:
        report: dict[str, Any] = {
            "inversions_a_second": spread(self.served_rates).as_json(),
            "graph_alone_a_second": spread(self.graph_rates).as_json(),
            "mean_batch": mean_batch(self._work, refine),
            "share_of_time": shares(self._work, self._seconds),
        }
        if self._work:
            refinement = self._work[refine]
            report["queue_seconds_a_call"] = significant(refinement.queue_seconds / refinement.requests)
        return report
