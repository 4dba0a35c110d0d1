"""Batches of an odd number of refinements for two cores: of one of them, each core does half of the steps.

The state goes from the first half to the second as it does from one chunk to the next, so the answer is
that of one run, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future

import numpy as np

from relatent.core.refinement import carried_on
from relatent_service.engine.batches import Arrays, joined, part
from relatent_service.engine.engine import Array
from relatent_service.engine.runs import STEPS

LOSSES = "losses"
"""The output that has a value of each step, [B, most steps]; those of no step mean nothing."""


def can_be_halved(inputs: Mapping[str, Array]) -> bool:
    """Whether inputs are those of refinements of at least two steps each."""
    return STEPS in inputs and int(inputs[STEPS].min()) >= 2


def jobs_of_two(batch: Arrays, run: Callable[[Arrays], Arrays]) -> list[Callable[[], Arrays]]:
    """What two cores are to do at the same time; their answers, one after the other, are the batch's.

    Args:
        batch: inputs of an odd number of refinements, three or more, of which the last can be halved.
        run: runs the graph on the core of the thread that calls it; all outputs by name.
    """
    samples = len(batch[STEPS])
    middle, last = samples // 2, part(batch, samples - 1, samples)
    steps: Array = last[STEPS] // 2
    halfway: Future[Arrays] = Future()

    def begin() -> Arrays:
        try:
            halfway.set_result(run({**last, STEPS: steps}))
        except Exception as error:
            halfway.set_exception(error)
        return run(part(batch, 0, middle))

    def end() -> Arrays:
        own = run(part(batch, middle, samples - 1))
        first = halfway.result()
        second = run({**carried_on(last, first), STEPS: last[STEPS] - steps})
        losses = np.concatenate([first[LOSSES][:, : int(steps[0, 0])], second[LOSSES]], axis=1)
        whole = {**second, LOSSES: losses[:, : second[LOSSES].shape[1]]}
        return joined([own, whole])

    return [begin, end]
