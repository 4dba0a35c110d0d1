"""Small random networks, and their graphs, exported once for all tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.onnx import clean
from relatent_export.compile.step import TracedStep, trace_step
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.triton.graphs import build_graphs, roles

ROOT = Path(__file__).parents[2]
SMALL = GeneratorConfig(resolution=32, latent_width=8, mapping_layers=2, channels=(16, 16, 8, 8), noise=True)
MAX_STEPS = 5


@pytest.fixture(scope="session")
def small() -> Networks:
    """Random networks of 32 pixels, with noise inputs, and a mean latent that is not zero."""
    torch.manual_seed(0)
    generator = Generator(SMALL)
    with torch.no_grad():
        generator.mapping.mean.normal_()
        for layer in generator.synthesis.layers:
            layer.get_parameter("noise_strength").fill_(0.1)
    mean = generator.mapping.mean
    encoder = Encoder(SMALL.layers, SMALL.latent_width, mean, channels=(8, 8, 8, 8), head=8)
    for head in encoder.heads:
        torch.nn.init.normal_(head.get_parameter("dense.weight"), std=0.2)
    attributes = AttributeNetwork(3, 32, channels=(8, 8, 8, 8, 8))
    basis = 0.3 * torch.randn(SMALL.layers * SMALL.latent_width, 40)
    return Networks(generator, encoder, attributes, ("one", "two", "three"), basis)


@pytest.fixture(scope="session")
def traced(small: Networks) -> TracedStep:
    return trace_step(reconstruction_objective(small), small.bases)


@pytest.fixture(scope="session")
def graphs(small: Networks, traced: TracedStep) -> dict[str, onnx.ModelProto]:
    """Every graph of the small networks; refinement in both forms, and in the code's own coordinates."""
    plain = trace_step(reconstruction_objective(small), {})
    return {
        # Without its last one, which would be traced again.
        **dict(itertools.islice(build_graphs(small), len(roles(small)) - 1)),
        "refine": clean(assemble(traced, MAX_STEPS, Iterate.LOOP)),
        "refine_unrolled": assemble(traced, MAX_STEPS, Iterate.UNROLL),
        "refine_plain": assemble(plain, MAX_STEPS, Iterate.LOOP),
    }


@pytest.fixture(scope="session")
def sessions(graphs: dict[str, onnx.ModelProto]) -> dict[str, onnxruntime.InferenceSession]:
    return {role: onnxruntime.InferenceSession(m.SerializeToString()) for role, m in graphs.items()}


@pytest.fixture
def save(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Write a file in the format that its name ends in."""

    def write(name: str, data: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, data, allow_pickle=True)
        else:
            torch.save(data, path)
        return path

    return write
