"""A refinement under way: the optimiser's state between chunks of steps.

The objective is the graph's own business; how any graph is driven is `relatent.core.refinement`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.methods import Method
from relatent.core.refinement import answer_of, initial_state, next_state, state_inputs
from relatent.core.spaces import CodeParts
from relatent_service.engine.models import Models
from relatent_service.traffic.call import Call

Array = NDArray[Any]
Floats = NDArray[np.float32]

_NOWHERE = np.finfo(np.float32).max
"""What stands for a loss that was not finite, where another start's was."""


@dataclass(frozen=True)
class SavedState:
    """A refinement between two chunks: enough to go on elsewhere, given the image again.

    A checkpoint is this, as it travels.

    Attributes:
        method: name of the method at work.
        state: float32 tensors by name, each with a leading axis over the starts that it was begun from.
        losses: of each start the loss before each step so far, float32 [starts, steps].
        learning_rate: Adam's step size at work; None if not known.
    """

    method: str
    state: Mapping[str, Floats]
    losses: Floats
    learning_rate: float | None = None


def starting_at(method: Method, codes: Floats, drawn: Floats | None = None) -> SavedState:
    """The state before the first step.

    Args:
        method: whose.
        codes: float32 [starts, L, D].
        drawn: codes of samples, for a method whose state begins with several (`initial_state`).
    """
    return SavedState(method.name, initial_state(method, codes, drawn), np.empty((len(codes), 0), np.float32))


class LossNotFinite(ArithmeticError):
    """A loss was NaN or infinite.

    Attributes:
        steps: how many steps had been done when it was.
        before: how many of them the start had done already.
    """

    def __init__(self, steps: int, before: int) -> None:
        super().__init__(f"the loss before step {steps + 1} was not finite")
        self.steps = steps
        self.before = before

    @property
    def at_start(self) -> bool:
        """Whether it was so before anything was done."""
        return self.steps == self.before


class Refinement:
    """The one owner of a refinement's state: from one start, or from several side by side of which one wins.

    Args:
        graph: the refinement graph.
        method: whose graph it is.
        shape: what codes of the method's space are made of.
        inputs: what the graph takes besides state and steps, one a start (`relatent.core.refinement`).
        start: where to go on from.
        total: steps in all, those done before included.
    """

    def __init__(
        self,
        graph: str,
        method: Method,
        shape: CodeParts,
        inputs: Mapping[str, Array],
        start: SavedState,
        total: int,
    ) -> None:
        self._graph, self._method, self._shape, self._inputs = graph, method, shape, inputs
        starts, self._before = start.losses.shape
        self._done = self._before
        self._losses = np.empty((starts, max(total, self._done)), np.float32)
        self._losses[:, : self._done] = start.losses
        self._state = {name: np.ascontiguousarray(array, np.float32) for name, array in start.state.items()}

    @property
    def steps(self) -> int:
        """Steps done, those before the start included."""
        return self._done

    @property
    def is_new(self) -> bool:
        """Whether none has been done since the start."""
        return self._done == self._before

    @property
    def losses(self) -> Floats:
        """The loss before each step so far, of the start that was best then, float32 [steps]."""
        lowest: Floats = self._losses[:, : self._done].min(0)
        return lowest

    @property
    def best_code(self) -> Codes:
        """The one code of the lowest loss so far."""
        done = self._losses[:, : self._done]
        best = int(done.min(1).argmin()) if self._done else 0
        return answer_of(self._method, self._shape, self._state)[best : best + 1]

    def saved(self) -> SavedState:
        """Where to go on from."""
        rate = float(self._inputs["learning_rate"][0, 0])
        return SavedState(self._method.name, self._state, self._losses[:, : self._done].copy(), rate)

    async def advance(self, models: Models, steps: int, call: Call, timeout: float | None) -> float:
        """Do a chunk of steps.

        Args:
            models: what runs the graph.
            steps: how many, at most the method's `max_steps` and what is left of the total.
            call: on whose behalf.
            timeout: seconds to wait for it at most; None for no end.

        Returns:
            Seconds it took, attempts that the engine failed before left out.

        Raises:
            LossNotFinite: from every start a loss was NaN or infinite; the state is as it was before.
            EngineError: as the engine says; the state is as it was before, so the chunk may be repeated.
        """
        count = {"steps": np.full((len(self._losses), 1), steps, np.int32)}
        inputs = {**state_inputs(self._state), **self._inputs, **count}
        outputs, seconds = await models.refine(self._graph, inputs, call, timeout)
        losses = outputs["losses"][:, :steps]
        finite = np.isfinite(losses)
        if not (lost := finite.any(0)).all():
            raise LossNotFinite(self._done + int(np.argmin(lost)), self._before)
        self._state = next_state(self._method, outputs)
        # A start that led nowhere stays behind the others.
        self._losses[:, self._done : self._done + steps] = np.where(finite, losses, _NOWHERE)
        self._done += steps
        return seconds
