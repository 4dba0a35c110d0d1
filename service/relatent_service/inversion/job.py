"""What is asked of an inversion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.graphs import Role
from relatent.core.methods import Method, StartRule
from relatent.core.pack import Pack
from relatent.core.refinement import graph_inputs
from relatent_service.inversion.refinement import Refinement, SavedState
from relatent_service.inversion.stopping import StopRules
from relatent_service.traffic.forecast import Work

Array = NDArray[Any]
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Plan:
    """How to invert an image, whatever it shows: enough to tell what that will cost.

    Attributes:
        pack: to invert into.
        method: of the pack's.
        start: the encoder's code, the mean, a code float32 [L, D], or where an earlier
            refinement by the method was.
        rules: when to end.
        learning_rate: Adam's step size.
        weights: of every term of the objective.
        preview_every, checkpoint_every: send one with every n-th report; 0 for never.
        images_after: to make of the result before the call is answered, for which time is kept back.
    """

    pack: Pack
    method: Method
    start: StartRule | Floats | SavedState
    rules: StopRules
    learning_rate: float
    weights: Mapping[str, float]
    preview_every: int = 0
    checkpoint_every: int = 0
    images_after: int = 0

    @property
    def graph(self) -> str:
        """The refinement graph that it runs."""
        return self.pack.graph(self.method.graph)

    @property
    def steps_before(self) -> int:
        """Steps that its start has done already."""
        return len(self.start.losses) if isinstance(self.start, SavedState) else 0

    @property
    def work(self) -> Work:
        """What it will ask of the engine, the images made of its result included."""
        synthesize = self.pack.graph(Role.SYNTHESIZE)
        steps = max(0, self.rules.steps - self.steps_before)
        chunks = ceil(steps / self.method.max_steps)
        previews = chunks // self.preview_every if self.preview_every else 0
        answer = {synthesize: 1 + self.images_after, self.pack.graph(Role.ASSESS): 1}
        if self.start is StartRule.ENCODER:
            answer[self.pack.graph(Role.ENCODE)] = 1
        runs = {**answer, self.graph: steps, synthesize: answer[synthesize] + previews}
        least = {**answer, self.graph: min(steps, 1)} if self.rules.answers_when_time_is_up else None
        return Work(runs, least, self.rules.time_budget)


@dataclass(frozen=True)
class Job:
    """An image to invert, and how.

    Attributes:
        plan: how.
        image: uint8 [R, R, 3].
        inputs: further inputs of the method's graph that the caller gave, without the batch axis.
    """

    plan: Plan
    image: Pixels
    inputs: Mapping[str, Array] = field(default_factory=dict)

    def begin(self, start: SavedState) -> Refinement:
        """A refinement of the image, not under way yet."""
        plan = self.plan
        further = {name: array[None] for name, array in self.inputs.items()}
        inputs = graph_inputs(plan.method, self.image[None], plan.learning_rate, plan.weights, further)
        return Refinement(plan.graph, plan.method, inputs, start, plan.rules.steps)
