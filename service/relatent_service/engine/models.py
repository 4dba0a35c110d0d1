"""A pack's graphs as functions over arrays: what may be asked of the engine, and nothing of how."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from time import monotonic
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.graphs import Role, move_role
from relatent.core.pack import Pack
from relatent.core.quality import MOST_DECIBELS, Quality
from relatent.core.text import Tokens
from relatent_service.engine.batches import joined, part, samples_of
from relatent_service.engine.engine import Answer, Engine, EngineRejected, EngineTimedOut, EngineUnavailable
from relatent_service.engine.runs import runs_of
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.call import Call
from relatent_service.traffic.fair_share import FairShare
from relatent_service.traffic.pace import Pace

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
Tensors = dict[str, NDArray[Any]]
Meanwhile: TypeAlias = Callable[[], AbstractContextManager[None]]


class Models:
    """Runs packs' graphs for calls, within their deadlines.

    Batches larger than a graph takes are split. Every method may raise the engine's errors.

    Args:
        engine: what runs them.
        metrics: told of every batch.
        pace: what graphs cost.
        share: gives calls their turns, other than for refinement.
    """

    def __init__(self, engine: Engine, metrics: Metrics, pace: Pace, share: FairShare) -> None:
        self._engine = engine
        self._metrics = metrics
        self._pace = pace
        self._share = share

    async def encode(self, pack: Pack, image: Pixels, call: Call, role: str = Role.ENCODE) -> Floats:
        """An encoder's code float32 [1, L, D] of an image uint8 [1, R, R, 3]."""
        return (await self._run(role, pack, {"image": image}, call))["w"]

    async def map(self, pack: Pack, z: Floats, psi: float, call: Call) -> Floats:
        """The codes float32 [B, L, D] of noise float32 [B, Z], truncated to `psi` in 0 to 1."""
        inputs = {"z": z, "psi": np.full((len(z), 1), psi, np.float32)}
        return (await self._run(Role.MAP, pack, inputs, call))["w"]

    async def synthesize(
        self, pack: Pack, codes: Codes, call: Call, meanwhile: Meanwhile = nullcontext
    ) -> Pixels:
        """The images uint8 [B, R, R, 3] of codes, B of them; `meanwhile` is as `FairShare.turn` has it."""
        parts = dict(codes.broadcast(pack.layers).parts)
        return (await self._run(pack.spaces[codes.space].graph, pack, parts, call, meanwhile))["image"]

    async def read(self, pack: Pack, codes: Codes, call: Call) -> tuple[Pixels, Floats]:
        """The images uint8 [B, R, R, 3] of codes and what they read, float32 [B, A], in one run."""
        parts = dict(codes.broadcast(pack.layers).parts)
        answer = await self._run(pack.spaces[codes.space].read_graph, pack, parts, call)
        return answer["image"], answer["attributes"]

    async def attributes(self, pack: Pack, image: Pixels, call: Call) -> Floats:
        """What images uint8 [B, R, R, 3] read, float32 [B, A], as they are."""
        return (await self._run(Role.ATTRIBUTES, pack, {"image": image}, call))["attributes"]

    async def embed(self, pack: Pack, texts: Sequence[Tokens], call: Call) -> Floats:
        """What texts mean, as vectors of unit length, float32 [B, E]."""
        inputs = {
            "ids": np.concatenate([text.ids for text in texts]),
            "mask": np.concatenate([text.mask for text in texts]),
        }
        found = (await self._run(Role.TEXT, pack, inputs, call))["embedding"]
        unit: Floats = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return unit

    async def move(self, pack: Pack, direction: str, w: Floats, strengths: Floats, call: Call) -> Floats:
        """Codes float32 [B, L, D] moved along a learned direction by strengths [B]."""
        inputs = {"w": w, "strength": strengths[:, None]}
        return (await self._run(move_role(direction), pack, inputs, call))["moved"]

    async def refine(
        self, graph: str, inputs: Mapping[str, NDArray[Any]], call: Call, timeout: float | None
    ) -> Answer:
        """One chunk of refinement; inputs and outputs as the graph names them, one sample a start.

        The call must have its turn (`relatent_service.traffic.fair_share`).
        """
        most, batch = self._engine.graphs[graph].max_batch, len(inputs["steps"])
        if batch <= most:
            return await self._infer(graph, inputs, call, timeout)
        parts = [
            await self._infer(graph, part(inputs, first, first + most), call, timeout)
            for first in range(0, batch, most)
        ]
        return Answer(joined([each.outputs for each in parts]), sum(each.seconds for each in parts))

    async def assess(self, pack: Pack, image: Pixels, reference: Pixels, call: Call) -> Quality:
        """How close an image is to a reference, both uint8 [1, R, R, 3]."""
        inputs = {"image": image, "reference": reference}
        answer = await self._run(Role.ASSESS, pack, inputs, call)
        values = {name: float(answer[name][0, 0]) for name in pack.metrics}
        return Quality(
            mse=values["mse"],
            psnr=min(MOST_DECIBELS, values["psnr"]),
            ssim=values["ssim"],
            perceptual=values.get("perceptual"),
            identity=values.get("identity"),
        )

    async def _run(
        self, role: str, pack: Pack, inputs: Tensors, call: Call, meanwhile: Meanwhile = nullcontext
    ) -> Tensors:
        graph = pack.graph(role)
        most = self._engine.graphs[graph].max_batch
        batch = samples_of(inputs)
        if batch <= most:
            return await self._in_turn(graph, inputs, call, meanwhile)
        parts = [
            await self._in_turn(graph, part(inputs, first, first + most), call, meanwhile)
            for first in range(0, batch, most)
        ]
        return joined(parts)

    async def _in_turn(self, graph: str, inputs: Tensors, call: Call, meanwhile: Meanwhile) -> Tensors:
        cost = samples_of(inputs) * self._pace.cost(graph)
        async with self._share.turn(call, cost, call.engine_timeout(), meanwhile):
            return (await self._infer(graph, inputs, call, call.engine_timeout())).outputs

    async def _infer(
        self, graph: str, inputs: Mapping[str, NDArray[Any]], call: Call, timeout: float | None
    ) -> Answer:
        if timeout is not None and timeout <= 0:  # nothing would be done, so nothing is counted
            raise EngineTimedOut(f"{graph}: no time was left to ask for it")
        self._metrics.batch_size.labels(graph).observe(samples_of(inputs))
        began, runs = monotonic(), runs_of(inputs)
        call.steps += runs
        try:
            with self._share.at_engine(call):
                return await self._engine.infer(graph, inputs, timeout)
        except (EngineUnavailable, EngineRejected):
            call.steps -= runs
            raise
        finally:
            call.inference_seconds += monotonic() - began
