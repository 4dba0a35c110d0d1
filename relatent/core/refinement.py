"""How a refinement graph is driven: the state between its calls.

The graph takes the optimiser's state as `state.NAME` and gives it back, some steps later, as `next.NAME`; the
rest of what it takes stays the same from the first call to the last, but for `steps`. Nothing here knows
what the state means: `relatent.core.methods` says what it holds at first and which of it is the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.methods import Initial, Method, StateTensor
from relatent.core.spaces import CodeParts

Array = NDArray[Any]
Floats = NDArray[np.float32]


def initial_state(method: Method, codes: Floats, drawn: Floats | None = None) -> dict[str, Floats]:
    """The state before the first step.

    Args:
        method: whose state.
        codes: float32 [B, L, D], where refinement starts.
        drawn: float32 [N, L, D], codes of samples for a method whose state begins with several, as many as
            `Method.codes` less one; the same for every start.

    Returns:
        Every tensor by its name, float32 with a batch axis of B.
    """
    return {
        name: np.array(np.broadcast_to(_initial(tensor, codes, drawn), (len(codes), *tensor.shape)))
        for name, tensor in method.state.items()
    }


def _initial(tensor: StateTensor, codes: Floats, drawn: Floats | None) -> Floats:
    match tensor.initial:
        case Initial.CODE:
            return np.asarray(codes.mean(1) if len(tensor.shape) == 1 else codes, np.float32)
        case Initial.CODES:
            if drawn is None:
                return codes[:, None]
            others = np.broadcast_to(drawn[None], (len(codes), *drawn.shape))
            return np.concatenate([codes[:, None], others], axis=1)
        case Initial.ZEROS:
            return np.array(0, np.float32)
        case Initial.INFINITY:
            return np.array(np.inf, np.float32)


def graph_inputs(
    method: Method,
    targets: NDArray[np.uint8],
    learning_rate: float,
    weights: Mapping[str, float],
    further: Mapping[str, Array],
) -> dict[str, Array]:
    """What a refinement graph takes besides its state and `steps`, alike in every call.

    Args:
        method: whose graph.
        targets: uint8 [B, R, R, 3].
        learning_rate: Adam's step size.
        weights: of every term of the objective.
        further: further inputs, each with its batch axis; those left out are filled with their defaults.
    """
    batch = len(targets)
    fixed: dict[str, Array] = {
        "target": targets,
        "learning_rate": np.full((batch, 1), learning_rate, np.float32),
    }
    for term in method.terms:
        fixed[f"weight.{term}"] = np.full((batch, 1), weights[term], np.float32)
    for name, each in method.inputs.items():
        fixed[name] = further[name] if name in further else np.repeat(each.filled()[None], batch, axis=0)
    return fixed


def state_inputs(state: Mapping[str, Floats]) -> dict[str, Floats]:
    """A state as the graph takes it."""
    return {f"state.{name}": array for name, array in state.items()}


def next_state(method: Method, outputs: Mapping[str, Array]) -> dict[str, Floats]:
    """The state that a graph gives back."""
    return {name: outputs[f"next.{name}"] for name in method.state}


def carried_on(inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> dict[str, Array]:
    """What a graph takes in the call after one of such inputs and outputs, which is to do as many steps."""
    states = [name for name in inputs if name.startswith("state.")]
    return {**inputs, **{name: outputs[f"next.{name.removeprefix('state.')}"] for name in states}}


def answer_of(method: Method, shape: CodeParts, state: Mapping[str, Floats]) -> Codes:
    """The codes that a state holds as its answer, in the types in which they travel.

    Args:
        method: whose state.
        shape: what the pack's codes of the method's space are made of.
        state: with its batch axis.
    """
    parts = {name: state[method.answer[name]].astype(part.dtype) for name, part in shape.parts.items()}
    return Codes(method.space, parts)
