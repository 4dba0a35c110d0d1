"""An image in; its latent code, reconstruction and measured quality out."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from math import ceil
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from relatent_service.engine.models import GraphKind, Models, Quality
from relatent_service.errors import Diverged
from relatent_service.inversion.job import Job, Start
from relatent_service.inversion.lockstep import Lockstep
from relatent_service.inversion.refinement import (
    Checkpoint,
    LossNotFinite,
    Objective,
    Refinement,
    starting_at,
)
from relatent_service.inversion.stopping import StopReason, even_chunk, reached, steps_in_time, time_limit
from relatent_service.telemetry.metrics import Metrics
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.call import Call
from relatent_service.traffic.forecast import Place, Work
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.running_mean import RunningMean

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

INITIAL_ANSWER_SECONDS, ANSWER_MARGIN_SECONDS = 0.2, 0.25
SMOOTHING = 0.2
REHEARSAL_SECONDS = 120.0
CHUNK_SECONDS = 5.0
"""A chunk on a slow engine is cut to about this."""


@dataclass(frozen=True)
class Progress:
    """How far an inversion is; see `relatent.v1.InversionProgress`."""

    steps: int
    total_steps: int
    loss: float
    best_loss: float
    preview: Pixels | None
    checkpoint: Checkpoint | None


@dataclass(frozen=True)
class Result:
    """An image's code, float32 [L, D], with the evidence for it."""

    pack: Pack
    code: Floats
    reconstruction: Pixels
    quality: Quality
    losses: Floats
    stop_reason: StopReason
    steps: int


class Inverter:
    """Inverts images, those of a pack in lockstep."""

    def __init__(self, models: Models, admission: Admission, lifecycle: Lifecycle, metrics: Metrics) -> None:
        self._models = models
        self._admission = admission
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._locksteps: defaultdict[str, Lockstep] = defaultdict(Lockstep)
        self._answer_seconds = RunningMean(INITIAL_ANSWER_SECONDS, SMOOTHING)
        """How long an answer takes after the last step."""

    async def rehearse(self, pack: Pack) -> None:
        """Run every graph that calls need, so that the first calls' time can be judged.

        Raises:
            LossNotFinite: the pack's own defaults lead nowhere.
            EngineError: as the engine says.
        """
        resolution, most = pack.resolution, pack.refinement.max_steps
        grey = np.full((resolution, resolution, 3), 128, np.uint8)
        everywhere = np.full((resolution, resolution), 255, np.uint8)
        objective = Objective(
            grey, everywhere, pack.refinement.learning_rate["mean"], pack.refinement.weights
        )
        refinement = Refinement(pack, objective, starting_at(pack, pack.mean), 1 + most)
        call = Call(deadline=monotonic() + REHEARSAL_SECONDS)
        # The first step is slower than any after it; it tells how many of them there is time for.
        seconds = await self._run_all(pack, refinement, 1, call)
        self._admission.pace.forget(kind.of(pack) for kind in GraphKind)
        await self._run_all(pack, refinement, _steps_of(seconds, most), call)

    async def _run_all(self, pack: Pack, refinement: Refinement, steps: int, call: Call) -> float:
        """Run every graph that calls need, refinement so many steps; how long these took."""
        resolution = pack.resolution
        grey = np.full((resolution, resolution, 3), 128, np.uint8)
        await self._models.map(pack, np.zeros((1, pack.z_width), np.float32), 1.0, call)
        if pack.encoder:
            await self._models.encode(pack, grey[None], call)
        seconds = await refinement.advance(self._models, steps, call, REHEARSAL_SECONDS)
        await self._answer(pack, refinement, grey, call)
        return seconds

    def work(self, job: Job, images_after: int = 0) -> Work:
        """What a job will ask of the engine, with so many images to be made of its result."""
        refine, most = GraphKind.REFINE.of(job.pack), job.pack.refinement.max_steps
        steps = max(0, job.rules.steps - job.steps_before)
        previews = ceil(steps / most) // job.preview_every if job.preview_every else 0
        answer = {GraphKind.SYNTHESIZE.of(job.pack): 1 + images_after, GraphKind.ASSESS.of(job.pack): 1}
        if job.start is Start.ENCODER:
            answer[GraphKind.ENCODE.of(job.pack)] = 1
        runs = {**answer, refine: steps}
        runs[GraphKind.SYNTHESIZE.of(job.pack)] += previews
        least = {**answer, refine: min(steps, 1)} if job.rules.answers_when_time_is_up else None
        return Work(runs, least, job.rules.time_budget)

    async def invert(self, job: Job, call: Call, place: Place) -> AsyncGenerator[Progress | Result, None]:
        """Invert an image.

        Yields:
            A report before the first chunk and after each, and the result last.

        Raises:
            Diverged: the loss stopped being finite.
            NotReady: the server is about to end; the last report's checkpoint is where to go on.
            OutOfTime, Overloaded: it cannot be answered before its deadline any more; the same of these.
            EngineError: as the engine says.
        """
        start = await self._start(job, call, place)
        objective = Objective(job.image, job.mask, job.learning_rate, job.weights)
        refinement = Refinement(job.pack, objective, start, job.rules.steps)
        first, reports = refinement.steps, 0
        reason = reached(job.rules, refinement.losses)
        lockstep = self._locksteps[job.pack.name]
        with lockstep.member():
            while True:
                reports += 1
                yield await self._report(job, refinement, reports, call, place)
                if reason is not None:
                    break
                self._lifecycle.check_not_stopping()
                if refinement.steps > first:
                    self._admission.check_in_time(place)
                came = monotonic()
                async with lockstep.chunk():
                    call.turn_seconds += monotonic() - came
                    reason = await self._advance(
                        job, refinement, call, place, first=refinement.steps == first
                    )
        yield await self._finish(job, refinement, reason, call)

    async def _start(self, job: Job, call: Call, place: Place) -> Checkpoint:
        start = job.start
        if isinstance(start, Checkpoint):
            return start
        if start is Start.ENCODER:
            start = (await self._models.encode(job.pack, job.image[None], call))[0]
            self._admission.advance(place, GraphKind.ENCODE.of(job.pack), 1)
        elif start is Start.MEAN:
            start = job.pack.mean
        return starting_at(job.pack, start)

    async def _advance(
        self, job: Job, refinement: Refinement, call: Call, place: Place, *, first: bool
    ) -> StopReason | None:
        """Do the next chunk; why to end after it, or None."""
        most = _steps_of(self._step_seconds(job, place), job.pack.refinement.max_steps)
        steps = even_chunk(job.rules.steps - refinement.steps, most)
        timeout = call.engine_timeout()
        reserve = (
            self._answer_seconds.value
            + ANSWER_MARGIN_SECONDS
            + job.images_after * self._step_seconds(job, place)
        )
        limit, out_of_time = time_limit(job.rules, call, reserve), None
        if limit is not None:
            end, reason = limit
            steps = steps_in_time(end, self._step_seconds(job, place), steps, first=first)
            if steps == 0:
                return reason
            left = end - monotonic()
            if timeout is None or left < timeout:
                timeout, out_of_time = left, reason
        try:
            seconds = await refinement.advance(self._models, steps, call, timeout)
        except LossNotFinite as error:
            raise _diverged(job, error) from error
        except (EngineTimedOut, EngineUnavailable):
            if out_of_time is None:
                raise
            return out_of_time  # with the best of the chunks before
        place.seconds_a_step = seconds / steps
        self._admission.advance(place, GraphKind.REFINE.of(job.pack), steps)
        self._locksteps[job.pack.name].measure(seconds)
        self._metrics.steps.labels(job.pack.name).inc(steps)
        self._metrics.chunk.labels(job.pack.name).observe(seconds)
        return reached(job.rules, refinement.losses)

    async def _report(
        self, job: Job, refinement: Refinement, number: int, call: Call, place: Place
    ) -> Progress:
        preview = checkpoint = None
        if job.preview_every and number % job.preview_every == 0:
            preview = (await self._models.synthesize(job.pack, refinement.best_code, call))[0]
            self._admission.advance(place, GraphKind.SYNTHESIZE.of(job.pack), 1)
        if job.checkpoint_every and number % job.checkpoint_every == 0:
            checkpoint = refinement.checkpoint()
        losses = refinement.losses
        return Progress(
            steps=refinement.steps,
            total_steps=max(job.rules.steps, refinement.steps),
            loss=float(losses[-1]) if len(losses) else float("nan"),
            best_loss=float(losses.min()) if len(losses) else float("nan"),
            preview=preview,
            checkpoint=checkpoint,
        )

    async def _finish(self, job: Job, refinement: Refinement, reason: StopReason, call: Call) -> Result:
        image, quality = await self._answer(job.pack, refinement, job.image, call)
        name = job.pack.name
        self._metrics.inversions.labels(name, reason.value).inc()
        self._metrics.psnr.labels(name).observe(quality.psnr)
        self._metrics.mse.labels(name).observe(quality.mse)
        if quality.perceptual is not None:
            self._metrics.perceptual.labels(name).observe(quality.perceptual)
        return Result(
            pack=job.pack,
            code=refinement.best_code[0],
            reconstruction=image,
            quality=quality,
            losses=refinement.losses,
            stop_reason=reason,
            steps=refinement.steps,
        )

    async def _answer(
        self, pack: Pack, refinement: Refinement, target: Pixels, call: Call
    ) -> tuple[Pixels, Quality]:
        """The best code's image, uint8 [R, R, 3], and how close it is to the target."""
        began = monotonic()
        try:
            image = await self._models.synthesize(pack, refinement.best_code, call)
            quality = await self._models.assess(pack, image, target[None], call)
        except (asyncio.CancelledError, EngineTimedOut):
            self._answer_seconds.at_least(monotonic() - began)
            raise
        self._answer_seconds.measure(monotonic() - began)
        return image[0], quality

    def _step_seconds(self, job: Job, place: Place) -> float:
        """Seconds that a step of this call takes, its neighbours' included."""
        alone = self._admission.pace.cost(GraphKind.REFINE.of(job.pack))
        return place.seconds_a_step or alone * max(1, self._admission.inflight)


def _steps_of(seconds_a_step: float, most: int) -> int:
    """Steps of a chunk that is not too long to wait for, by whoever hangs up or looks at progress."""
    if seconds_a_step * most <= CHUNK_SECONDS:
        return most
    return max(1, int(CHUNK_SECONDS / seconds_a_step))


def _diverged(job: Job, error: LossNotFinite) -> Diverged:
    """Name the field that most likely is to blame."""
    if error.step == job.steps_before:
        cause = "latent"
        if isinstance(job.start, Start):
            cause = "refinement.weights"
        elif isinstance(job.start, Checkpoint):
            cause = "checkpoint"
        return Diverged(f"{job.field}.{cause}", "expected a finite loss at the start; it was not finite")
    return Diverged(
        f"{job.field}.refinement.learning_rate",
        f"expected a step size that keeps the loss finite; with {job.learning_rate:g} it was not finite "
        f"after {error.step} steps",
    )
