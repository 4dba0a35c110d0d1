"""An image in; its latent code, reconstruction and measured quality out."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import partial
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from relatent.core.graphs import Role
from relatent.core.methods import Method, StartRule
from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent.core.stopping import StopReason
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from relatent_service.engine.models import Models
from relatent_service.inversion.finish import reconstruct
from relatent_service.inversion.job import Job, Plan
from relatent_service.inversion.lockstep import Lockstep
from relatent_service.inversion.refinement import Refinement, SavedState, starting_at
from relatent_service.inversion.stopping import (
    affordable_steps,
    even_chunk,
    reached,
    steps_in_time,
    time_limit,
)
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Slot
from relatent_service.traffic.lifecycle import Lifecycle

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

ANSWER_MARGIN_SECONDS = 0.25


@dataclass(frozen=True)
class Report:
    """How far an inversion is; see `relatent.v1.InversionProgress`."""

    steps: int
    total_steps: int
    loss: float
    best_loss: float
    preview: Pixels | None
    checkpoint: SavedState | None


@dataclass(frozen=True)
class Result:
    """An image's code, float32 [L, D], with the evidence for it."""

    pack: Pack
    method: Method
    code: Floats
    reconstruction: Pixels
    quality: Quality
    losses: Floats
    stop_reason: StopReason
    steps: int


class Inverter:
    """Inverts images, those that refine on one graph in lockstep."""

    def __init__(self, models: Models, admission: Admission, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self._models = models
        self._admission = admission
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._pace = admission.pace
        self._locksteps: dict[str, Lockstep] = {}
        """By refinement graph."""

    async def invert(self, job: Job, call: Call, slot: Slot) -> AsyncGenerator[Report | Result, None]:
        """Invert an image.

        Yields:
            A report before the first chunk and after each, and the result last.

        Raises:
            LossNotFinite: the loss stopped being finite.
            NotReady: the server is about to end; the last report's checkpoint is where to go on.
            OutOfTime, Overloaded: it cannot be answered before its deadline any more; the same of these.
            EngineError: as the engine says.
        """
        refinement = job.begin(await self._start(job, call, slot))
        reports, reason = 0, reached(job.plan.rules, refinement.losses)
        lockstep = self._lockstep(job.plan.graph)
        with lockstep.member():
            while True:
                reports += 1
                yield await self._report(job, refinement, reports, call, slot)
                if reason is not None:
                    break
                self._lifecycle.check_not_stopping()
                if not refinement.is_new:
                    self._admission.check_in_time(slot)
                came = monotonic()
                async with lockstep.chunk():
                    call.turn_seconds += monotonic() - came
                    reason = await self._advance(job, refinement, call, slot)
        yield await self._finish(job, refinement, reason, call)

    async def _start(self, job: Job, call: Call, slot: Slot) -> SavedState:
        pack, method, start = job.plan.pack, job.plan.method, job.plan.start
        if isinstance(start, SavedState):
            return start
        if start is StartRule.ENCODER:
            start = (await self._models.encode(pack, job.image[None], call))[0]
            self._admission.advance(slot, pack.graph(Role.ENCODE), 1)
        return starting_at(method, pack.mean if isinstance(start, StartRule) else start)

    async def _advance(self, job: Job, refinement: Refinement, call: Call, slot: Slot) -> StopReason | None:
        """Do the next chunk; why to end after it, or None."""
        plan = job.plan
        step_seconds = self._step_seconds(plan, refinement)
        most = affordable_steps(step_seconds, plan.method.max_steps)
        steps = even_chunk(plan.rules.steps - refinement.steps, most)
        timeout, out_of_time = call.engine_timeout(), None
        if (limit := time_limit(plan.rules, call, self._reserve(plan, step_seconds))) is not None:
            end, reason = limit
            steps = steps_in_time(end, step_seconds, steps, first=refinement.is_new)
            if steps == 0:
                return reason
            left = end - monotonic()
            if timeout is None or left < timeout:
                timeout, out_of_time = left, reason
        try:
            seconds = await refinement.advance(self._models, steps, call, timeout)
        except (EngineTimedOut, EngineUnavailable):
            if out_of_time is None:
                raise
            return out_of_time  # with the best of the chunks before
        self._pace.measure_chunk(plan.graph, steps, seconds)
        self._admission.advance(slot, plan.graph, steps)
        self._metrics.steps.labels(plan.graph).inc(steps)
        self._metrics.chunk.labels(plan.graph).observe(seconds)
        return reached(plan.rules, refinement.losses)

    async def _report(self, job: Job, refinement: Refinement, number: int, call: Call, slot: Slot) -> Report:
        plan, preview, checkpoint = job.plan, None, None
        if plan.preview_every and number % plan.preview_every == 0:
            preview = (await self._models.synthesize(plan.pack, refinement.best_code, call))[0]
            self._admission.advance(slot, plan.pack.graph(Role.SYNTHESIZE), 1)
        if plan.checkpoint_every and number % plan.checkpoint_every == 0:
            checkpoint = refinement.saved()
        losses = refinement.losses
        return Report(
            steps=refinement.steps,
            total_steps=max(plan.rules.steps, refinement.steps),
            loss=float(losses[-1]) if len(losses) else float("nan"),
            best_loss=float(losses.min()) if len(losses) else float("nan"),
            preview=preview,
            checkpoint=checkpoint,
        )

    async def _finish(self, job: Job, refinement: Refinement, reason: StopReason, call: Call) -> Result:
        pack, method = job.plan.pack, job.plan.method
        image, quality = await reconstruct(
            pack, refinement.best_code, job.image, self._models, self._pace, call
        )
        self._metrics.inverted(pack.name, method.name, reason.value, quality)
        return Result(
            pack=pack,
            method=method,
            code=refinement.best_code[0],
            reconstruction=image,
            quality=quality,
            losses=refinement.losses,
            stop_reason=reason,
            steps=refinement.steps,
        )

    def _lockstep(self, graph: str) -> Lockstep:
        if graph not in self._locksteps:
            self._locksteps[graph] = Lockstep(partial(self._pace.chunk_seconds, graph))
        return self._locksteps[graph]

    def _reserve(self, plan: Plan, step_seconds: float) -> float:
        """Seconds to keep back for what comes after the last step."""
        after = plan.images_after * step_seconds
        return self._pace.answer_seconds(plan.pack.name) + ANSWER_MARGIN_SECONDS + after

    def _step_seconds(self, plan: Plan, refinement: Refinement) -> float:
        """Seconds that a step of a call takes, its neighbours' included."""
        if refinement.is_new:
            return self._pace.cost(plan.graph) * max(1, self._admission.inflight)
        return self._pace.step_seconds(plan.graph)
