"""An image in; its latent code, reconstruction and measured quality out."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.graphs import Role
from relatent.core.methods import TEXT_INPUT, Method, StartRule
from relatent.core.noise import noise
from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent.core.stopping import StopReason
from relatent.core.text import AIM
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from relatent_service.engine.models import Models
from relatent_service.inversion.finish import finish
from relatent_service.inversion.job import ANCHOR, Job, Plan
from relatent_service.inversion.lockstep import Lockstep
from relatent_service.inversion.plausibility import Plausibility, image_plausibility
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
    """An image's one code, with the evidence for it."""

    pack: Pack
    method: Method
    code: Codes
    reconstruction: Pixels
    quality: Quality
    losses: Floats
    stop_reason: StopReason
    steps: int
    plausibility: Plausibility | None
    beyond: Pixels | None


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
            Implausible: the image's score is below the plan's least.
            LossNotFinite: the loss stopped being finite.
            NotReady: the server is about to end; the last report's checkpoint is where to go on.
            OutOfTime, Overloaded: it cannot be answered before its deadline any more; the same of these.
            EngineError: as the engine says.
        """
        encoded = await self._encode(job, call, slot)
        plausibility = await self._judge(job, encoded, call)
        job = await self._understood(job, call, slot)
        refinement = job.begin(await self._start(job, encoded, call, slot))
        reports, reason = 0, reached(job.plan.rules, refinement.losses)
        with self._together(job.plan) as lockstep:
            while True:
                reports += 1
                yield await self._report(job, refinement, reports, lockstep, call, slot)
                if reason is not None:
                    break
                self._check_goes_on(refinement, slot)  # its turn may be long in coming
                async with self._turn(job.plan, refinement, lockstep, call):
                    self._check_goes_on(refinement, slot)
                    came = monotonic()
                    async with lockstep.chunk():
                        call.turn_seconds += monotonic() - came
                        reason = await self._advance(job, refinement, call, slot)
        with call.answering():
            result = await self._finish(job, refinement, reason, plausibility, call)
        yield result

    def _check_goes_on(self, refinement: Refinement, slot: Slot) -> None:
        """See whether there is any use in another chunk; raises as `invert` does."""
        self._lifecycle.check_not_stopping()
        if not refinement.is_new:
            self._admission.check_in_time(slot)

    async def _encode(self, job: Job, call: Call, slot: Slot) -> Mapping[str, Floats]:
        """The codes [1, L, D] of the image that are needed, by the encoder's role."""
        plan, roles = job.plan, []
        if plan.start is StartRule.ENCODER:
            roles.append(plan.method.encoder)
        if plan.domain is not None:
            roles.append(Role.ENCODE)
        encoded = {}
        for role in dict.fromkeys(roles):
            encoded[role] = await self._models.encode(plan.pack, job.image[None], call, role)
            self._admission.advance(slot, plan.pack.graph(role), 1)
        return encoded

    async def _understood(self, job: Job, call: Call, slot: Slot) -> Job:
        """The same with what its text means, where it has one."""
        if job.plan.text is None:
            return job
        shown, wanted = await self._models.embed(job.plan.pack, job.plan.text, call)
        self._admission.advance(slot, job.plan.pack.graph(Role.TEXT), len(job.plan.text))
        return replace(job, inputs={**job.inputs, TEXT_INPUT: np.float32(AIM) * (wanted - shown)})

    async def _judge(self, job: Job, encoded: Mapping[str, Floats], call: Call) -> Plausibility | None:
        plan, domain = job.plan, job.plan.domain
        if domain is None:
            return None
        found = await image_plausibility(plan.pack, domain, encoded[Role.ENCODE], self._models, call)
        plan.check_plausible(found)
        return found

    async def _start(self, job: Job, encoded: Mapping[str, Floats], call: Call, slot: Slot) -> SavedState:
        plan, start = job.plan, job.plan.start
        if isinstance(start, SavedState):
            return start
        if start is StartRule.ENCODER:
            start = encoded[plan.method.encoder][0]
        elif isinstance(start, StartRule):
            start = plan.pack.mean
        drawn = await self._draw(plan, call, slot)
        others = plan.restarts - 1
        begun = starting_at(plan.method, np.stack([start, *drawn[:others]]), drawn[others:])
        if job.anchor is None:
            return begun
        code = await self._models.encode(plan.pack, job.anchor[None], call, plan.method.encoder)
        self._admission.advance(slot, plan.pack.graph(plan.method.encoder), 1)
        near = starting_at(plan.method, np.repeat(code, plan.restarts, axis=0), drawn[others:])
        return replace(begun, state={**begun.state, ANCHOR: near.state[ANCHOR]})

    async def _draw(self, plan: Plan, call: Call, slot: Slot) -> Floats:
        """Codes of samples to start with, [N, L, D]: of the same seeds for every image."""
        if not plan.samples:
            return np.empty((0, plan.pack.layers, plan.pack.width), np.float32)
        z = np.stack([noise(seed, plan.pack.z_width) for seed in range(plan.samples)])
        codes = await self._models.map(plan.pack, z, 1.0, call)
        self._admission.advance(slot, plan.pack.graph(Role.MAP), plan.samples)
        return codes

    def _turn(
        self, plan: Plan, refinement: Refinement, lockstep: Lockstep, call: Call
    ) -> AbstractAsyncContextManager[None]:
        """The call's turn for a chunk; it comes when its time is up at the latest, to find that out."""
        graph = plan.graph
        assert graph is not None
        steps = even_chunk(plan.rules.steps - refinement.steps, plan.method.max_steps) * plan.restarts
        timeout = call.engine_timeout()
        if (
            limit := time_limit(plan.rules, call, self._reserve(plan, self._pace.step_seconds(graph)))
        ) is not None:
            timeout = max(0.0, min(math.inf if timeout is None else timeout, limit[0] - monotonic()))
        return self._admission.share.turn(call, steps * self._pace.cost(graph), timeout, lockstep.apart)

    async def _advance(self, job: Job, refinement: Refinement, call: Call, slot: Slot) -> StopReason | None:
        """Do the next chunk; why to end after it, or None."""
        plan, graph = job.plan, job.plan.graph
        assert graph is not None
        step_seconds = self._step_seconds(graph, refinement)
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
        self._pace.measure_chunk(graph, steps, seconds)
        self._admission.advance(slot, graph, steps * plan.restarts)
        self._metrics.steps.labels(graph).inc(steps * plan.restarts)
        self._metrics.chunk.labels(graph).observe(seconds)
        return reached(plan.rules, refinement.losses)

    async def _report(
        self, job: Job, refinement: Refinement, number: int, lockstep: Lockstep, call: Call, slot: Slot
    ) -> Report:
        plan, preview, checkpoint = job.plan, None, None
        if plan.preview_every and number % plan.preview_every == 0:
            code = refinement.best_code
            preview = (await self._models.synthesize(plan.pack, code, call, lockstep.apart))[0]
            self._admission.advance(slot, plan.pack.graph(plan.code_parts.graph), 1)
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

    async def _finish(
        self,
        job: Job,
        refinement: Refinement,
        reason: StopReason,
        plausibility: Plausibility | None,
        call: Call,
    ) -> Result:
        pack, method, code = job.plan.pack, job.plan.method, refinement.best_code
        found = await finish(job, code, self._models, self._pace, call)
        if plausibility is not None:
            plausibility = replace(plausibility, code_cycle=found.cycle)
        self._metrics.inverted(pack.name, method.name, reason.value, found.quality)
        return Result(
            pack=pack,
            method=method,
            code=code,
            reconstruction=found.image,
            quality=found.quality,
            losses=refinement.losses,
            stop_reason=reason,
            steps=refinement.steps,
            plausibility=plausibility,
            beyond=found.beyond,
        )

    @contextmanager
    def _together(self, plan: Plan) -> Iterator[Lockstep]:
        """Take part among those that refine on a plan's graph."""
        graph = plan.graph or ""
        if graph not in self._locksteps:
            self._locksteps[graph] = Lockstep(partial(self._pace.chunk_seconds, graph))
        with self._locksteps[graph].member():
            yield self._locksteps[graph]

    def _reserve(self, plan: Plan, step_seconds: float) -> float:
        """Seconds to keep back for what comes after the last step."""
        after = plan.images_after * step_seconds
        return self._pace.answer_seconds(plan.pack.name) + ANSWER_MARGIN_SECONDS + after

    def _step_seconds(self, graph: str, refinement: Refinement) -> float:
        """Seconds that a step of a call takes, its neighbours' included."""
        if refinement.is_new:
            return self._pace.cost(graph) * max(1, self._admission.inflight)
        return self._pace.step_seconds(graph)
