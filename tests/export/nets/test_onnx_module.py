"""ONNX networks as modules: their gradients are right, they export, what is unknown is refused by name."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.compile.onnx import EXAMPLES, export_module
from relatent_export.nets.onnx_module import OnnxModule, checked_module
from relatent_export.nets.onnx_operators import OPERATORS
from tests.export.nets.exporting import assert_exports
from tests.export.nets.onnx_graphs import OUTPUT, floats, graph, node, whole

SIDE, WIDTH = 8, 8


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.asked, self.found = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        batch, places, _ = x.shape
        heads = self.asked(self.first(x)).reshape(batch, places, 3, 2, WIDTH // 2).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        x = x + self.found(mixed.transpose(1, 2).reshape(batch, places, WIDTH))
        wide = self.wide(self.second(x))
        return torch.add(x, self.narrow(wide * torch.sigmoid(1.702 * wide)))


class Vision(nn.Module):
    """A vision transformer as CLIP has it: a class token, places, and a projection."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 4, 4, bias=False)
        self.token, self.places = nn.Parameter(torch.randn(WIDTH)), nn.Parameter(torch.randn(5, WIDTH))
        self.before, self.block, self.after = nn.LayerNorm(WIDTH), Block(), nn.LayerNorm(WIDTH)
        self.project = nn.Linear(WIDTH, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], 1, -1), patches], 1) + self.places
        embedded = self.project(self.after(self.block(self.before(tokens))[:, 0]))
        return F.normalize(embedded, dim=1)


class Convolutions(nn.Module):
    """A residual network in small."""

    def __init__(self) -> None:
        super().__init__()
        self.entry, self.norm = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4)
        self.same, self.output = nn.Conv2d(4, 4, 3, padding=1, groups=2), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.norm(self.entry(x)))
        x = F.avg_pool2d(x + F.silu(self.same(x)), 2)
        output: Tensor = self.output(x.mean((2, 3)))
        return output


@pytest.fixture(scope="module", params=[Vision, Convolutions])
def network(request: pytest.FixtureRequest) -> tuple[nn.Module, onnx.ModelProto]:
    torch.manual_seed(0)
    module = request.param().eval()
    example = torch.randn(EXAMPLES, 3, SIDE, SIDE)
    return module, export_module(module, [example], ["x"], [OUTPUT])


def test_gradients_are_those_of_finite_differences(network: tuple[nn.Module, onnx.ModelProto]) -> None:
    module = OnnxModule(network[1], OUTPUT).double()
    x = torch.randn(1, 3, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(module, (x,), fast_mode=True)


def test_a_network_is_as_it_was_before_it_became_a_graph(network: tuple[nn.Module, onnx.ModelProto]) -> None:
    module, x = (
        checked_module(network[1], OUTPUT, torch.randn(2, 3, SIDE, SIDE)),
        torch.randn(3, 3, SIDE, SIDE),
    )
    torch.testing.assert_close(module(x), network[0](x))
    gradients = []
    for each in (module, network[0]):
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(each(leaf).square().sum(), leaf)
        gradients.append(gradient)
    torch.testing.assert_close(*gradients)
    assert not list(module.parameters())


def test_a_network_is_exported_again_for_batches_of_any_size(
    network: tuple[nn.Module, onnx.ModelProto],
) -> None:
    assert_exports(OnnxModule(network[1], OUTPUT), torch.randn(EXAMPLES, 3, SIDE, SIDE))


@pytest.mark.parametrize("rows", [1, 3])
def test_a_branch_is_taken_by_a_shape(rows: int) -> None:
    """As PyTorch's older exporter writes `squeeze`."""
    shape = node("Shape", ["x"], "s")
    choice = [node("Gather", ["s", "zero"], "rows"), node("Equal", ["rows", "one"], "single")]
    branches = {
        name: onnx.helper.make_graph(
            [made], name, [], [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)]
        )
        for name, made in (
            ("squeezed", node("Squeeze", ["x", "axis"], "squeezed")),
            ("kept", node("Neg", ["x"], "kept")),
        )
    }
    taken = node("If", ["single"], then_branch=branches["squeezed"], else_branch=branches["kept"])
    weights = {"zero": np.array(0), "one": np.array(1), "axis": whole(0)}
    model = graph([shape, *choice, taken], ("rows", 4), weights)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    checked_module(model, OUTPUT, torch.from_numpy(floats(rows, 4)))


@pytest.mark.parametrize(
    ("made", "weights", "what"),
    [
        (node("Det", ["x"], name="the_node"), {}, "node the_node: expected an operator .*, got Det; export"),
        (node("FusedMatMul", ["x", "x"], domain="com.microsoft"), {}, "node y: .*com.microsoft::FusedMatMul"),
        (node("MaxPool", ["x"], kernel_shape=[2, 2], ceil_mode=1), {}, "node y: MaxPool: expected ceil_mode"),
        (
            node("Resize", ["x", "", "f"], mode="cubic"),
            {"f": np.ones(4, np.float32)},
            "node y: Resize: expected a mode of nearest or linear",
        ),
        (node("Reshape", ["x", "x"]), {}, "node y: Reshape: "),
        (node("Mod", ["x", "x"]), {}, "node y: Mod: expected inputs that do not depend on what an image"),
    ],
    ids=["operator", "domain", "ceil", "cubic", "reshape", "mod"],
)
def test_what_is_not_known_is_refused_by_the_nodes_name(
    made: onnx.NodeProto, weights: dict[str, Any], what: str
) -> None:
    with pytest.raises(ValueError, match=what):
        OnnxModule(graph([made], (1, 2, 4, 4), weights), OUTPUT)(torch.ones(1, 2, 4, 4))


def test_nodes_that_the_output_does_not_need_may_be_unknown() -> None:
    model = graph([node("Det", ["x"], "unused"), node("Neg", ["x"])], (2, 2))
    assert torch.equal(OnnxModule(model, OUTPUT)(torch.ones(2, 2)), -torch.ones(2, 2))


def test_a_network_that_runs_otherwise_in_pytorch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = graph([node("Neg", ["x"])], (2, 2)), torch.ones(2, 2)
    monkeypatch.setitem(cast(Any, OPERATORS), "Neg", lambda attributes, x: -1.01 * x)
    with pytest.raises(ValueError, match=r"expected PyTorch to answer as ONNX Runtime does, .* by 0\.01"):
        checked_module(model, OUTPUT, x)


def test_a_network_that_does_not_run_is_refused() -> None:
    model = graph([node("MatMul", ["x", "w"])], ("b", 2), {"w": floats(3, 3)})
    with pytest.raises(ValueError, match="it does not run: "):
        checked_module(model, OUTPUT, torch.ones(2, 2))
