"""Every graph that calls need is run before the first call comes, so that the time of calls can be judged."""

from __future__ import annotations

from time import monotonic

import numpy as np

from relatent.core.codes import Codes
from relatent.core.methods import StartRule
from relatent.core.pack import Pack
from relatent.core.spaces import STYLES, Space
from relatent.core.text import Tokens
from relatent_service.engine.models import Models
from relatent_service.inversion.finish import finish
from relatent_service.inversion.job import Job, Plan
from relatent_service.inversion.refinement import Refinement, SavedState, starting_at
from relatent_service.inversion.stopping import StopRules, affordable_steps
from relatent_service.traffic.call import Call
from relatent_service.traffic.pace import Pace

REHEARSAL_SECONDS = 120.0


async def rehearse(pack: Pack, models: Models, pace: Pace) -> None:
    """Invert a grey image by every method of a pack, a chunk of steps each.

    Raises:
        LossNotFinite: a method's own defaults lead nowhere.
        EngineError: as the engine says.
    """
    call = Call(deadline=monotonic() + REHEARSAL_SECONDS)
    jobs = [_job(pack, name) for name, method in pack.methods.items() if method.graph is not None]
    refinements = [job.begin(_start(job.plan)) for job in jobs]
    # First runs are slower than any after them; they tell how many steps there is time for.
    seconds = await _run_all(pack, models, jobs, refinements, [1] * len(jobs), call, pace)
    pace.forget(pack.served)
    steps = [
        affordable_steps(each, job.plan.method.max_steps) for each, job in zip(seconds, jobs, strict=True)
    ]
    await _run_all(pack, models, jobs, refinements, steps, call, pace)


def _job(pack: Pack, method_name: str) -> Job:
    method = pack.methods[method_name]
    plan = Plan(
        pack=pack,
        method=method,
        start=pack.mean,
        rules=StopRules(steps=1 + method.max_steps),
        learning_rate=method.rates.get(StartRule.MEAN, method.rates[method.default_start]),
        weights=method.terms,
    )
    return Job(plan, np.full((pack.resolution, pack.resolution, 3), 128, np.uint8))


def _start(plan: Plan) -> SavedState:
    drawn = np.repeat(plan.pack.mean[None], plan.method.codes - 1, axis=0)
    return starting_at(plan.method, plan.pack.mean[None], drawn)


async def _run_all(
    pack: Pack,
    models: Models,
    jobs: list[Job],
    refinements: list[Refinement],
    steps: list[int],
    call: Call,
    pace: Pace,
) -> list[float]:
    """Run every graph, each refinement so many steps; how long these took."""
    grey = np.full((pack.resolution, pack.resolution, 3), 128, np.uint8)
    await models.map(pack, np.zeros((1, pack.z_width), np.float32), 1.0, call)
    await models.synthesize(pack, Codes.plain(pack.mean[None]), call)
    for role in dict.fromkeys(pack.encoders):
        await models.encode(pack, grey[None], call, role)
    await _run_moves(pack, models, call)
    seconds = []
    for job, refinement, count in zip(jobs, refinements, steps, strict=True):
        seconds.append(await refinement.advance(models, count, call, REHEARSAL_SECONDS))
        await finish(job, refinement.best_code, models, pace, call)
    return seconds


async def _run_moves(pack: Pack, models: Models, call: Call) -> None:
    """Run the graphs that only edits need."""
    mean = Codes.plain(pack.mean[None])
    if Space.STYLE in pack.spaces:
        (width,) = pack.spaces[Space.STYLE].parts[STYLES].shape
        await models.synthesize(pack, mean.styled(lambda styles: styles, width), call)
    if pack.text is not None:
        shape = (1, pack.text.context)
        await models.embed(
            pack, [Tokens(np.full(shape, pack.text.pad, np.int64), np.ones(shape, np.int64))], call
        )
    for name, direction in pack.directions.items():
        if direction.learned:
            await models.move(pack, name, mean.w, np.zeros(1, np.float32), call)
