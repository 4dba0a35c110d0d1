"""The smallest networks with every method, and their refinement graphs, traced once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from relatent.core.methods import Method
from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.objective import Objective
from relatent_export.compile.onnx import clean
from relatent_export.compile.precision import Precision
from relatent_export.compile.step import Bases, trace_step
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.objectives.methods import METHODS, describe

SIDE = 32
"""The least at which there is a layer before the one that `layered` offsets."""
CONFIG = GeneratorConfig(resolution=SIDE, latent_width=6, mapping_layers=2, channels=(6, 6, 4, 4))
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
def networks() -> Networks:
    torch.manual_seed(3)
    generator = Generator(CONFIG)
    mean = generator.mapping.mean
    encoders = []
    for _ in range(2):
        encoder = Encoder(CONFIG.layers, CONFIG.latent_width, mean, channels=(4, 4, 4, 4), head=4)
        for head in encoder.heads:
            torch.nn.init.normal_(head.get_parameter("dense.weight"), std=0.3)
        encoders.append(encoder)
    basis = torch.linalg.qr(torch.randn(CONFIG.layers * CONFIG.latent_width, 30)).Q
    return Networks(
        generator,
        encoders[0],
        AttributeNetwork(2, SIDE, channels=(4, 4, 4, 4, 4)),
        ("one", "two"),
        (basis * torch.linspace(0.5, 2, 30)).contiguous(),
        forced_encoder=encoders[1],
    )


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
