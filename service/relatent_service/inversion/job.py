"""What is asked of an inversion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.domain import Domain
from relatent.core.graphs import Role
from relatent.core.methods import Method, StartRule
from relatent.core.pack import Pack
from relatent.core.refinement import graph_inputs
from relatent.core.spaces import PLAIN, CodeParts, Space
from relatent.core.text import Tokens
from relatent_service.inversion.plausibility import Implausible, Plausibility
from relatent_service.inversion.refinement import Refinement, SavedState
from relatent_service.inversion.stopping import StopRules
from relatent_service.traffic.forecast import Work

Array = NDArray[Any]
Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

ANCHOR = "anchor"
"""The tensor of a state that refinement is kept near, and the term that keeps it there."""


@dataclass(frozen=True)
class Plan:
    """How to invert an image, whatever it shows: enough to tell what that will cost.

    Attributes:
        pack: to invert into.
        method: of the pack's.
        start: the encoder's code, the mean, a code float32 [L, D], or where an earlier
            refinement by the method was.
        restarts: starts in all that are refined side by side, that one and others that are drawn; the best
            is kept.
        rules: when to end.
        learning_rate: Adam's step size.
        weights: of every term of the objective.
        preview_every, checkpoint_every: send one with every n-th report; 0 for never.
        images_after: to make of the result before the call is answered, for which time is kept back.
        work_after: all that it takes to make them.
        min_in_domain: the least score of an image that is worth the refinement; None for any.
        text: what the image shows and what it shall show, for methods with an input of that name.
        anchored: whether its anchor is the encoder's code of another image, and not where it starts.
        whole: whether the image is as the generator's are, so that it can be told how plausible it is; not so
            of one that is to be restored.
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
    work_after: Work = field(default_factory=lambda: Work({}))
    restarts: int = 1
    min_in_domain: float | None = None
    text: tuple[Tokens, Tokens] | None = None
    anchored: bool = False
    whole: bool = True

    @property
    def domain(self) -> Domain | None:
        """What tells how plausible the image is; None where nothing does."""
        return self.pack.domain if self.whole else None

    @property
    def graph(self) -> str | None:
        """The refinement graph that it runs; None for a method that ends where it starts."""
        return None if self.method.graph is None else self.pack.graph(self.method.graph)

    def check_plausible(self, found: Plausibility | None) -> None:
        """Hold an image's score against the least that is worth the refinement.

        Raises:
            Implausible: it is below.
        """
        if found is not None and self.min_in_domain is not None and found.score < self.min_in_domain:
            raise Implausible(found, self.min_in_domain)

    @property
    def steps_before(self) -> int:
        """Steps that its start has done already."""
        return self.start.losses.shape[1] if isinstance(self.start, SavedState) else 0

    @property
    def code_parts(self) -> CodeParts:
        """What the code that it finds is made of."""
        return self.pack.spaces[self.method.space]

    @property
    def samples(self) -> int:
        """Codes of samples that it starts with besides."""
        if isinstance(self.start, SavedState):
            return 0
        return self.restarts - 1 + self.method.codes - 1

    @property
    def work(self) -> Work:
        """What it will ask of the engine, the images made of its result included."""
        answer = Counter({self.pack.graph(self.code_parts.graph): 1})
        answer[self.pack.graph(Role.ASSESS)] = 1
        if self.start is StartRule.ENCODER:
            answer[self.pack.graph(self.method.encoder)] += 1
        if self.anchored:
            answer[self.pack.graph(self.method.encoder)] += 1
        if self.text is not None:
            answer[self.pack.graph(Role.TEXT)] = len(self.text)
        if self.samples:
            answer[self.pack.graph(Role.MAP)] += self.samples
        if self.domain is not None:
            answer += self._judging
        if self.method.space not in (*PLAIN, Space.MULTI):
            answer[self.pack.graph(Role.SYNTHESIZE)] += 1  # to show what the code has besides
        after = self.work_after
        sure = Counter(after.runs if after.least is None else after.least)
        tries = Counter(after.runs) - sure
        answer += sure
        runs, least = Counter(answer), Counter(answer)
        steps = 0 if self.graph is None else max(0, self.rules.steps - self.steps_before)
        if self.preview_every:
            reports = 1 + ceil(steps / self.method.max_steps)  # the first before any step
            runs[self.pack.graph(self.code_parts.graph)] += reports // self.preview_every
        if self.graph is not None:
            runs[self.graph] = steps * self.restarts
            least[self.graph] = min(steps, 1) * self.restarts
        if not self.rules.answers_when_time_is_up:
            return Work(runs, None, self.rules.time_budget, tries)
        runs.update(tries)
        return Work(runs, least, self.rules.time_budget)

    @property
    def _judging(self) -> Counter[str]:
        """What it takes to see whether the image is in the domain, and its code at the end."""
        encode, synthesize = self.pack.graph(Role.ENCODE), self.pack.graph(Role.SYNTHESIZE)
        known = self.start is StartRule.ENCODER and self.method.encoder == Role.ENCODE
        return Counter({encode: 2 if known else 3, synthesize: 1})


@dataclass(frozen=True)
class Answered:
    """What an image that was found comes to.

    Attributes:
        image: that is answered with, uint8 [R, R, 3].
        seen: what of it is to match the job's image, of the same shape.
    """

    image: Pixels
    seen: Pixels


@dataclass(frozen=True)
class Job:
    """An image to invert, and how.

    Attributes:
        plan: how.
        image: uint8 [R, R, 3].
        inputs: further inputs of the method's graph that the caller gave, without the batch axis.
        anchor: the image that an anchored plan's anchor is the code of, uint8 [R, R, 3].
        answer: makes the answer of the image uint8 [R, R, 3] that was found, where it is not that itself.
    """

    plan: Plan
    image: Pixels
    inputs: Mapping[str, Array] = field(default_factory=dict)
    anchor: Pixels | None = None
    answer: Callable[[Pixels], Answered] | None = None

    def begin(self, start: SavedState) -> Refinement:
        """A refinement of the image, not under way yet."""
        plan, starts = self.plan, len(start.losses)
        further = {name: _repeated(array, starts) for name, array in self.inputs.items()}
        targets = _repeated(self.image, starts)
        inputs = graph_inputs(plan.method, targets, plan.learning_rate, plan.weights, further)
        return Refinement(plan.graph or "", plan.method, plan.code_parts, inputs, start, plan.rules.steps)


def _repeated(array: Array, times: int) -> Array:
    return np.repeat(array[None], times, axis=0)
