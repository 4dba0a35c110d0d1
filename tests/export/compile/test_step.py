"""Any objective can be traced, not only the one that packs have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.step import state_shapes, trace_step
from relatent_export.nets.coordinates import Coordinates
from tests.export.running import run

STEPS = 8


class Fit:
    """Two variables, nothing carried and nothing prepared: `a` towards 1, and its products with `b` to 2."""

    variables: Mapping[str, tuple[int, ...]] = {"a": (3,), "b": (2, 3)}
    carried: Mapping[str, tuple[int, ...]] = {}
    weights: Mapping[str, float] = {"fit": 1.0, "size": 0.1}
    conditions: Mapping[str, Condition] = {
        f"weight.{name}": Condition(torch.float32, (1,)) for name in ("fit", "size")
    }

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        return {}

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        a, b = variables["a"], variables["b"]
        products = (a[:, None, :] * b).sum(2) - 2
        fit, size = (products * products).mean(1), ((a - 1) * (a - 1)).mean(1)
        total: Tensor = conditions["weight.fit"][:, 0] * fit + conditions["weight.size"][:, 0] * size
        return total


@pytest.mark.parametrize("iterate", list(Iterate))
@pytest.mark.parametrize("based", ["plain", "full", "low rank"])
def test_an_objective_of_two_variables_descends_as_by_autograd(iterate: Iterate, based: str) -> None:
    random = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(6, 4, generator=random))[0]
    basis = axes * torch.tensor([0.2, 0.5, 1.0, 2.0])
    bases, whole = {}, {}
    if based == "full":
        bases, whole = {"b": Coordinates(basis)}, {"b": basis}
    elif based == "low rank":
        bases = {"b": Coordinates(basis, outside=3.0)}
        whole = {"b": torch.cat([basis, 3.0 * (torch.eye(6) - axes @ axes.t())], 1)}
    start = {
        "a": torch.randn(5, 3, generator=random),
        "b": torch.randn(5, 2, 3, generator=random),
    }
    objective = Fit()
    model = assemble(trace_step(objective, bases), STEPS, iterate)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = {name: np.full((5, 1), weight, np.float32) for name, weight in objective.weights.items()}
    feed = {f"weight.{name}": value for name, value in given.items()}
    feed |= {"steps": np.full((5, 1), STEPS, np.int32), "learning_rate": np.full((5, 1), 0.05, np.float32)}
    for name, shape in state_shapes(objective, bases).items():
        fill = np.inf if name == "best_loss" else 0.0
        value = start.get(name.removeprefix("best_"))
        feed[f"state.{name}"] = np.full((5, *shape), fill, np.float32) if value is None else value.numpy()
    answer = run(session, feed)

    steps = {name: torch.eye(value[0].numel()) for name, value in start.items()} | whole
    moved = {name: torch.zeros(5, basis.shape[1], requires_grad=True) for name, basis in steps.items()}
    adam = torch.optim.Adam(list(moved.values()), 0.05)
    conditions = {f"weight.{name}": torch.from_numpy(value) for name, value in given.items()}
    losses = []
    for _ in range(STEPS):
        at = {name: start[name] + (z @ steps[name].t()).view_as(start[name]) for name, z in moved.items()}
        loss = objective.losses(at, {}, conditions, {})
        adam.zero_grad()
        loss.sum().backward()
        adam.step()
        losses.append(loss.detach().numpy())
    expected = np.stack(losses, axis=1)
    assert (expected[:, -1] < expected[:, 0]).all()
    # Outside of a few directions rounding is all that Adam sees of what they have.
    np.testing.assert_allclose(answer["losses"], expected, rtol=1e-3 if based == "low rank" else 1e-4)


def test_a_step_is_exported_without_being_traced_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the exporter decomposes is traced twice more; of a traced gradient nothing is left for it."""

    class Fresh(Fit):
        """One whose graph no run before this one has kept."""

    def decompose(program: torch.export.ExportedProgram, *_: Any) -> None:
        calls = {node.target for node in program.graph.nodes if node.op == "call_function"}
        raise AssertionError(f"decomposed once more: {calls}")

    monkeypatch.setattr(torch.export.ExportedProgram, "run_decompositions", decompose)
    traced = trace_step(Fresh(), {})
    assert [value.name for value in traced.step.graph.output][-1] == "loss"
