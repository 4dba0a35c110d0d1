"""Networks with every method, and their refinement graphs, each traced once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import onnxruntime
import pytest
from numpy.typing import NDArray

from relatent.core.methods import Method
from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.objective import Objective
from relatent_export.compile.onnx import clean
from relatent_export.compile.precision import Precision
from relatent_export.compile.step import Bases, trace_step
from relatent_export.nets.networks import Networks
from relatent_export.objectives.methods import METHODS, describe
from tests.export.text.pairs import small_pair

RATES = {"encoder": 0.01, "mean": 0.02}
MAX_STEPS = 3

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Traced:
    """A method, its objective, and its refinement graph, ready to run."""

    method: Method
    objective: Objective
    bases: Bases
    session: onnxruntime.InferenceSession

    def run(self, feed: Arrays) -> Arrays:
        names = [output.name for output in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, feed), strict=True))


@pytest.fixture(scope="session")
def networks(small: Networks, tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """Networks for every method.

    The second encoder is the first one, so that its graph is traced once.
    """
    pair = small_pair(tmp_path_factory.mktemp("pair"))
    return replace(small, forced_encoder=small.encoder, image_text=pair)


@pytest.fixture(scope="session")
def traced(networks: Networks) -> Callable[[str], Traced]:
    """A method's graph by the method's name; each traced when first asked for."""
    kept: dict[str, Traced] = {}

    def trace(name: str) -> Traced:
        if name not in kept:
            recipe = METHODS[name]
            objective, bases = recipe.objective(networks, Precision.FLOAT32), recipe.bases(networks)
            model = clean(assemble(trace_step(objective, bases), MAX_STEPS, Iterate.LOOP))
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), providers=["CPUExecutionProvider"]
            )
            kept[name] = Traced(describe(name, networks, RATES, {}), objective, bases, session)
        return kept[name]

    return trace
