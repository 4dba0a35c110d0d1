"""A refinement under way: the optimiser's state between chunks of steps.

The objective is the graph's own business; how any graph is driven is `relatent.core.refinement`'s to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.methods import Method
from relatent.core.refinement import answer_of, initial_state, next_state, state_inputs
from relatent_service.engine.models import Models
from relatent_service.traffic.call import Call

Array = NDArray[Any]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class SavedState:
    """A refinement between two chunks: enough to go on elsewhere, given the image again.

    A checkpoint is this, as it travels.

    Attributes:
        method: name of the method at work.
        state: float32 tensors by name, without the batch axis.
        losses: the loss before each step so far, float32 [steps].
        learning_rate: Adam's step size at work; None if not known.
    """

    method: str
    state: Mapping[str, Floats]
    losses: Floats
    learning_rate: float | None = None


def starting_at(method: Method, code: Floats) -> SavedState:
    """The state before the first step, from a code float32 [L, D]."""
    state = {name: array[0] for name, array in initial_state(method, code[None]).items()}
    return SavedState(method.name, state, np.empty(0, np.float32))


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
    """The one owner of a refinement's state.

    Args:
        graph: the refinement graph.
        method: whose graph it is.
        inputs: what the graph takes besides state and steps, batch of 1 (`relatent.core.refinement`).
        start: where to go on from.
        total: steps in all, those done before included.
    """

    def __init__(
        self, graph: str, method: Method, inputs: Mapping[str, Array], start: SavedState, total: int
    ) -> None:
        self._graph, self._method, self._inputs = graph, method, inputs
        self._before = self._done = len(start.losses)
        self._losses = np.empty(max(total, self._done), np.float32)
        self._losses[: self._done] = start.losses
        self._state = {
            name: np.ascontiguousarray(array, np.float32)[None] for name, array in start.state.items()
        }

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
        """The loss before each step so far, float32 [steps]."""
        return self._losses[: self._done]

    @property
    def best_code(self) -> Floats:
        """The code of the lowest loss so far, float32 [1, L, D]."""
        return answer_of(self._method, self._state)

    def saved(self) -> SavedState:
        """Where to go on from."""
        state = {name: array[0] for name, array in self._state.items()}
        rate = float(self._inputs["learning_rate"][0, 0])
        return SavedState(self._method.name, state, self.losses.copy(), rate)

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
            LossNotFinite: a loss was NaN or infinite; the state is as it was before.
            EngineError: as the engine says; the state is as it was before, so the chunk may be repeated.
        """
        count = {"steps": np.array([[steps]], np.int32)}
        inputs = {**state_inputs(self._state), **self._inputs, **count}
        outputs, seconds = await models.refine(self._graph, inputs, call, timeout)
        losses = outputs["losses"][0, :steps]
        if not np.isfinite(losses).all():
            raise LossNotFinite(self._done + int(np.argmin(np.isfinite(losses))), self._before)
        self._state = next_state(self._method, outputs)
        self._losses[self._done : self._done + steps] = losses
        self._done += steps
        return seconds
