"""A refinement under way: the optimiser's state between chunks of steps.

The objective is the graph's own business. Here its state is a set of tensors by name that go into
the graph as `state.NAME` and come out of it as `next.NAME`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import InitialState, Pack
from relatent_service.engine.models import Models
from relatent_service.traffic.call import Call

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Checkpoint:
    """Enough to go on elsewhere, given the image again.

    Attributes:
        state: float32 tensors by name, without the batch axis.
        losses: the loss before each step so far, float32 [steps].
        learning_rate: Adam's step size at work; None if not known.
    """

    state: Mapping[str, Floats]
    losses: Floats
    learning_rate: float | None = None


@dataclass(frozen=True)
class Objective:
    """What to descend and how fast.

    Attributes:
        target: uint8 [R, R, 3].
        mask: uint8 [R, R]; 255 counts fully.
        learning_rate: Adam's step size.
        weights: of the objective's terms, by name.
    """

    target: Pixels
    mask: Pixels
    learning_rate: float
    weights: Mapping[str, float]


def starting_at(pack: Pack, code: Floats) -> Checkpoint:
    """The state before the first step, from a code float32 [L, D]."""
    initial = {InitialState.CODE: code, InitialState.ZEROS: 0.0, InitialState.INFINITY: np.inf}
    state = {
        name: np.broadcast_to(np.asarray(initial[tensor.initial], np.float32), tensor.shape)
        for name, tensor in pack.refinement.state.items()
    }
    return Checkpoint(state, np.empty(0, np.float32))


class LossNotFinite(ArithmeticError):
    """A loss was NaN or infinite.

    Attributes:
        step: how many steps had been done when it was.
    """

    def __init__(self, step: int) -> None:
        super().__init__(f"the loss before step {step + 1} was not finite")
        self.step = step


class Refinement:
    """The one owner of a refinement's state.

    Args:
        pack: whose graph runs.
        objective: what to descend.
        start: where to go on from.
        total: steps in all, those done before included.
    """

    def __init__(self, pack: Pack, objective: Objective, start: Checkpoint, total: int) -> None:
        self._pack = pack
        self.learning_rate = objective.learning_rate
        self._done = len(start.losses)
        self._losses = np.empty(max(total, self._done), np.float32)
        self._losses[: self._done] = start.losses
        # Everything the graph takes, in place for the next call: a chunk replaces the state by the
        # arrays that came back, as they are.
        self._inputs: dict[str, NDArray[Any]] = {
            f"state.{name}": np.ascontiguousarray(array, np.float32)[None]
            for name, array in start.state.items()
        }
        self._inputs |= {
            f"weight.{name}": np.array([[weight]], np.float32) for name, weight in objective.weights.items()
        }
        self._inputs["target"] = objective.target[None]
        self._inputs["mask"] = objective.mask[None]
        self._inputs["learning_rate"] = np.array([[objective.learning_rate]], np.float32)

    @property
    def steps(self) -> int:
        """Steps done, those before the start included."""
        return self._done

    @property
    def losses(self) -> Floats:
        """The loss before each step so far, float32 [steps]."""
        return self._losses[: self._done]

    @property
    def best_code(self) -> Floats:
        """The code of the lowest loss so far, float32 [1, L, D]."""
        return self._inputs["state.best_w"]

    def checkpoint(self) -> Checkpoint:
        """Where to go on from."""
        state = {name: self._inputs[f"state.{name}"][0] for name in self._pack.refinement.state}
        return Checkpoint(state, self.losses.copy(), self.learning_rate)

    async def advance(self, models: Models, steps: int, call: Call, timeout: float | None) -> float:
        """Do a chunk of steps.

        Args:
            models: what runs the graph.
            steps: how many, at most the pack's `max_steps` and what is left of the total.
            call: on whose behalf.
            timeout: seconds to wait for it at most; None for no end.

        Returns:
            Seconds it took, attempts that the engine failed before left out.

        Raises:
            LossNotFinite: a loss was NaN or infinite; the state is as it was before.
            EngineError: as the engine says; the state is as it was before, so the chunk may be repeated.
        """
        self._inputs["steps"] = np.array([[steps]], np.int32)
        answer, seconds = await models.refine(self._pack, self._inputs, call, timeout)
        losses = answer["losses"][0, :steps]
        if not np.isfinite(losses).all():
            raise LossNotFinite(self._done + int(np.argmin(np.isfinite(losses))))
        for name in self._pack.refinement.state:
            self._inputs[f"state.{name}"] = answer[f"next.{name}"]
        self._losses[self._done : self._done + steps] = losses
        self._done += steps
        return seconds
