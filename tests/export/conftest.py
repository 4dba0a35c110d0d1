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
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.triton.graphs import build_graphs, roles
from tests.fixtures.small import small_networks

ROOT = Path(__file__).parents[2]
MAX_STEPS = 5


@pytest.fixture(scope="session")
def small() -> Networks:
    """The small networks, for tests that leave them as they are."""
    return small_networks()


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
