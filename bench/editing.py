"""Exact edits and plain ones against drawings redrawn with the change asked for; and what they cost.

Every change of one factor by a quarter or a half of its range that stays within it, of 64 held-out drawings,
and pairs of such. The drawings are inverted by `hybrid` and by `feature`; all edits are calls of the real
service with its Triton. `open_loop` are plain moves along boundaries and `open_loop_jacobian` along the
pack's other directions, as strong as their calibration says. `floor` is the truth itself, read by the same
networks, and as `truth_mse` the error of the inversion without any edit. Latencies are of one caller with a
code at hand, by turns: an exact edit over one that has nothing to do and only makes an image and reads it,
and a plain edit over its bare graph.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.edits import Asked, double_edits, edit_report, redrawn, single_edits
from bench.graphs import Graphs
from bench.local_edits import compact_edits, local_figures
from bench.measurement import BenchSettings
from bench.serving import served
from bench.sessions import session_figures
from bench.timing import ratios, significant, spread
from relatent import AsyncClient, Edit, Goal, LatentCode, Move, Operation, Reach
from relatent.core.pack import Pack, read_pack
from relatent_export.analysis.evaluation import attribute_reader
from relatent_export.demo.judge import judge_beside

Bytes = NDArray[np.uint8]

CALLERS, STEPS = 8, 100
_TIMEOUT = 1200.0


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `exact`, `exact_two`, `open_loop`, `open_loop_jacobian` and `floor`, and the same of `feature` with
        `_feature` after them, each with the figures of `bench.edits.edit_report`; `local`, edits within a
        mask (`bench.local_edits`); `age`, what older and
        younger do to glasses by each way; `session` (`bench.sessions`); `latency`; and how many edits
        there were.
    """
    count, pairs = (2, 8) if settings.quick else (64, 512)
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    if (judge := judge_beside(folder)) is None:
        raise ValueError(f"{folder}: expected a judge beside the pack: relatent-export demo judge")
    graphs = Graphs(pack, settings.repository)
    bench = _Bench(pack, HeldOut.first(count), graphs, {"own": attribute_reader(graphs), "judge": judge})
    return asyncio.run(bench.measure(settings, pairs))


class _Bench:
    """The measurement, with what all of its parts need."""

    def __init__(self, pack: Pack, drawings: HeldOut, graphs: Graphs, readers: dict[str, Any]) -> None:
        self._pack, self._drawings, self._graphs, self._readers = pack, drawings, graphs, readers
        self._singles = single_edits(drawings)

    async def measure(self, settings: BenchSettings, pairs: int) -> dict[str, Any]:
        doubles = double_edits(self._singles, pairs)
        report: dict[str, Any] = {}
        async with (
            served(settings, max_inflight=2 * CALLERS) as service,
            AsyncClient(service.address, timeout=_TIMEOUT, max_message_bytes=256 << 20) as client,
        ):
            for suffix, method in (("", "hybrid"), ("_feature", "feature")):
                steps = 4 if settings.quick else STEPS
                codes, images = await self._invert(client, method, steps)
                for name, asked, operations in (
                    ("exact", self._singles, self._exactly),
                    ("exact_two", doubles, self._exactly),
                    ("open_loop", self._singles, partial(self._openly, suffix="_boundary")),
                    ("open_loop_jacobian", self._singles, self._openly),
                ):
                    made = await self._edit(client, codes, asked, operations)
                    report[f"{name}{suffix}"] = self._figures(asked, images, made)
                report[f"floor{suffix}"] = self._floor(images)
                compact = compact_edits(self._pack, self._singles, pairs // 2)
                report[f"local{suffix}"] = await local_figures(
                    client,
                    self._drawings,
                    codes,
                    images,
                    compact,
                    self._exactly,
                    self._figures,
                    _by_callers,
                )
                if not suffix:
                    report["age"] = await self._age(client, codes, images)
            code, seconds = codes[0].reduced(), 1.0 if settings.quick else 10.0
            report["session"] = await asyncio.to_thread(
                session_figures, service.address, self._pack, code, seconds
            )
            report["latency"] = await self._latency(client, codes, rounds=5 if settings.quick else 200)
        return report | {"drawings": len(self._drawings.images), "edits": len(self._singles), "pairs": pairs}

    async def _invert(self, client: AsyncClient, method: str, steps: int) -> tuple[list[LatentCode], Bytes]:
        async def one(image: Bytes) -> Any:
            return await client.invert(image, method=method, steps=steps)

        found = await _by_callers(one, self._drawings.images)
        return [each.latent for each in found], np.stack([each.reconstruction.array for each in found])

    async def _edit(
        self,
        client: AsyncClient,
        codes: Sequence[LatentCode],
        asked: Asked,
        operations: Callable[[NDArray[Any]], list[Operation]],
    ) -> Bytes:
        async def one(place: int) -> Edit:
            return await client.edit(codes[asked.drawing[place]], operations(asked.changes[place]))

        return np.stack([edit.images[0].image.array for edit in await _by_callers(one, range(len(asked)))])

    def _exactly(self, changes: NDArray[Any]) -> list[Operation]:
        goals = [
            Goal(attribute.name, by=float(attribute.scale * change))
            for attribute, change in zip(self._pack.attributes, changes, strict=True)
            if change
        ]
        return [Reach(goals)]

    def _openly(self, changes: NDArray[Any], suffix: str = "") -> list[Operation]:
        moves: list[Operation] = []
        for attribute, change in zip(self._pack.attributes, changes, strict=True):
            if change:
                name = f"{attribute.name}{suffix}"
                moves.append(Move(name, float(change) / self._pack.directions[name].calibration))
        return moves

    async def _age(
        self, client: AsyncClient, codes: Sequence[LatentCode], images: Bytes
    ) -> dict[str, dict[str, float]]:
        """What edits of age do to glasses: held, free, and by a boundary; means in percent of the range."""
        age, glasses = (self._pack.attribute_names.index(name) for name in ("age", "glasses"))
        picked = np.flatnonzero(self._singles.asked[:, age])
        asked = Asked(self._singles.drawing[picked], self._singles.changes[picked])
        scale = self._pack.attributes[age].scale

        def free(changes: NDArray[Any]) -> list[Operation]:
            hold = [name for name in self._pack.attribute_names if name not in ("age", "glasses")]
            return [Reach([Goal("age", by=float(scale * changes[age]))], hold=hold)]

        report = {}
        for name, operations in (
            ("held", self._exactly),
            ("free", free),
            ("boundary", partial(self._openly, suffix="_boundary")),
        ):
            made = await self._edit(client, codes, asked, operations)
            report[name] = {
                reader: significant(
                    50 * float(np.abs((read(made) - read(images)[asked.drawing])[:, glasses]).mean())
                )
                for reader, read in self._readers.items()
            }
        return report

    def _figures(self, asked: Asked, before: Bytes, after: Bytes) -> dict[str, float]:
        truth = redrawn(self._drawings, asked)
        report = edit_report(asked, before, after, truth, self._readers)
        return {name: significant(value) for name, value in report.items()}

    def _floor(self, images: Bytes) -> dict[str, float]:
        """What the truth reads, and how far the inversions are from what they were made of."""
        truth = redrawn(self._drawings, self._singles)
        report = edit_report(self._singles, self._drawings.images, truth, truth, self._readers)
        difference = (images.astype(np.float32) - self._drawings.images) / 255
        report["truth_mse"] = float(np.square(difference).mean())
        return {name: significant(value) for name, value in report.items()}

    async def _latency(
        self, client: AsyncClient, codes: Sequence[LatentCode], rounds: int
    ) -> dict[str, dict[str, float | int]]:
        """Of W+ codes, one caller; the order of the contenders turns round by round."""
        codes = [code.reduced() for code in codes]
        w = np.stack([code.values for code in codes])
        rng = np.random.default_rng(72)
        picked = rng.integers(len(self._singles), size=rounds + 1)
        taken: dict[str, list[float]] = {"exact": [], "round": [], "plain": [], "graph": []}
        for turn, place in enumerate(picked):
            drawing, changes = self._singles.drawing[place], self._singles.changes[place]
            code = codes[drawing]
            contenders: dict[str, Callable[[], Awaitable[object]]] = {
                "exact": partial(client.edit, code, self._exactly(changes)),
                "round": partial(client.edit, code, [Reach([Goal("yaw", by=0.0)])]),
                "plain": partial(client.edit, code, self._openly(changes)),
                "graph": partial(_graph, self._graphs, w[drawing : drawing + 1]),
            }
            for name in list(contenders)[:: 1 if turn % 2 else -1]:
                began = time.perf_counter()
                await contenders[name]()
                if turn:  # the first time is another matter
                    taken[name].append(time.perf_counter() - began)
        return {
            "exact_over_round": spread(ratios(taken["exact"], taken["round"])).as_json(),
            "plain_over_synthesize": spread(ratios(taken["plain"], taken["graph"])).as_json(),
            **{f"{name}_ms": spread([1e3 * each for each in row]).as_json() for name, row in taken.items()},
        }


async def _graph(graphs: Graphs, w: NDArray[Any]) -> None:
    graphs.synthesize(w)


async def _by_callers(one: Callable[[Any], Awaitable[Any]], items: Any) -> list[Any]:
    """What a call makes of each item, by callers that take turns over them."""
    waiting, found = list(enumerate(items)), {}

    async def caller() -> None:
        while waiting:
            index, item = waiting.pop(0)
            found[index] = await one(item)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return [found[index] for index in range(len(found))]
