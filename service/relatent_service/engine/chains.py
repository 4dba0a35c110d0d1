"""Triton's ensembles in this process: graphs run one after the other, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tritonclient.grpc import model_config_pb2 as triton

from relatent_service.engine.engine import Array, EngineUnavailable


class Session(Protocol):
    """What runs a graph: ONNX Runtime's own, or a chain of them."""

    def run(self, names: Sequence[str], inputs: Mapping[str, Array], options: Any = None) -> Sequence[Array]:
        """The outputs of these names."""


class Chain:
    """The steps of an ensemble, in the order in which its configuration has them.

    Args:
        config: the ensemble's.
        sessions: of all other graphs, by name.

    Raises:
        EngineUnavailable: a graph that it needs is not there.
    """

    def __init__(self, config: triton.ModelConfig, sessions: Mapping[str, Session]) -> None:
        self._steps = [
            (_find(config.name, step.model_name, sessions), dict(step.input_map), dict(step.output_map))
            for step in config.ensemble_scheduling.step
        ]

    def run(self, names: Sequence[str], inputs: Mapping[str, Array], options: Any = None) -> Sequence[Array]:
        """The outputs of these names; every step by the same options."""
        known = dict(inputs)
        for session, taken, given in self._steps:
            outputs = session.run(list(given), {own: known[name] for own, name in taken.items()}, options)
            known |= dict(zip(given.values(), outputs, strict=True))
        return [known[name] for name in names]


def _find(ensemble: str, name: str, sessions: Mapping[str, Session]) -> Session:
    if name not in sessions:
        raise EngineUnavailable(f"{ensemble}: its graph {name} is missing")
    return sessions[name]
