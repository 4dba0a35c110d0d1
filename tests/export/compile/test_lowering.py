"""The rewritten operators against autograd."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from relatent_export.compile.lowering import absorb_factors, decompositions, fold_constants


def weight(*shape: int) -> Tensor:
    """The same numbers for the same shape, whichever tests run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


DENSE, DEEP, UP = weight(6, 4, 3, 3), weight(4, 1, 4, 4), weight(4, 6, 3, 3)
TWICE_AS_DEEP, GROUPED, WIDE = weight(8, 1, 3, 3), weight(6, 2, 3, 3), weight(6, 4, 1, 5)
FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda x: F.conv2d(x, DENSE, padding=1),
    "without padding": lambda x: F.conv2d(x, DENSE),
    "strided": lambda x: F.conv2d(x, DENSE, stride=2, padding=1),
    "strided, odd rest": lambda x: F.conv2d(x, DENSE, stride=2),
    "depthwise": lambda x: F.conv2d(x, DEEP, padding=1, groups=4),
    "depthwise, twice as many": lambda x: F.conv2d(x, TWICE_AS_DEEP, padding=1, groups=4),
    "grouped": lambda x: F.conv2d(x, GROUPED, padding=1, groups=2),
    "grouped and strided": lambda x: F.conv2d(x, GROUPED, stride=2, padding=1, groups=2),
    "dilated": lambda x: F.conv2d(x, DENSE, padding=2, dilation=2),
    "dilated and strided": lambda x: F.conv2d(x, DENSE, stride=2, padding=2, dilation=2),
    "not square": lambda x: F.conv2d(x, WIDE, padding=(0, 2)),
    "padded unevenly": lambda x: F.conv2d(x, DENSE, padding=(0, 1)),
    "transposed": lambda x: F.conv_transpose2d(x, UP, stride=2),
    "leaky": lambda x: F.leaky_relu(x, 0.2),
    "ReLU": lambda x: F.relu(x),
    "threshold": lambda x: F.threshold(x, 0.5, 0.0),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "max pool, not square": lambda x: F.max_pool2d(x, (2, 4)),
    "max pool, cut": lambda x: F.max_pool2d(x, 3),
    "max pool, overlapping": lambda x: F.max_pool2d(x[:, :, :7, :7], 3, stride=2),
    "max pool, overlapping, odd rest": lambda x: F.max_pool2d(x, 3, stride=2),
    "max pool, gaps": lambda x: F.max_pool2d(x, 2, stride=3),
    "max pool, padded": lambda x: F.max_pool2d(x, 3, stride=2, padding=1),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_rewritten_gradient_is_autograds(name: str) -> None:
    form, x = FORMS[name], weight(2, 4, 8, 8)

    def gradient(x: Tensor) -> Tensor:
        # A square makes the gradient depend on the forward pass too.
        return torch.func.grad(lambda y: (form(y) * form(y)).sum())(x)

    traced = make_fx(gradient, decomposition_table=decompositions())(x)
    leaf = x.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad((form(leaf) * form(leaf)).sum(), leaf)
    assert float((traced(x) - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    assert "convolution_backward" not in traced.code
    assert "relu_backward" not in traced.code
    assert "threshold_backward" not in traced.code


@pytest.mark.parametrize(
    ("size", "x", "expected"),
    [
        (2, [[1, 1, 0, 2], [0, 1, 2, 1]], [[1 / 3, 1 / 3, 0, 1 / 2], [0, 1 / 3, 1 / 2, 0]]),
        (3, [[0, 0, 1, 0, 0], [1, 0, 0, 0, 0], [0] * 5], [[0, 0, 3 / 2, 0, 0], [1 / 2, 0, 0, 0, 0], [0] * 5]),
    ],
    ids=["apart", "overlapping"],
)
def test_pixels_that_share_a_maximum_share_its_gradient(
    size: int, x: list[list[float]], expected: list[list[float]]
) -> None:
    def gradient(x: Tensor) -> Tensor:
        return torch.func.grad(lambda y: F.max_pool2d(y, size, stride=2).sum())(x)

    image = torch.tensor([[x]], dtype=torch.float32)
    traced = make_fx(gradient, decomposition_table=decompositions())(image)
    assert "max_pool2d_with_indices_backward" not in traced.code
    assert torch.allclose(traced(image), torch.tensor([[expected]]))


def test_a_convolution_padded_beyond_its_kernel_is_refused_and_not_traced_wrongly() -> None:
    def gradient(x: Tensor) -> Tensor:
        return torch.func.grad(lambda y: F.conv2d(y, DENSE, padding=3).square().sum())(x)

    with pytest.raises(NotImplementedError, match=r"padding \[3, 3\] beyond the kernel's reach \[2, 2\]"):
        make_fx(gradient, decomposition_table=decompositions())(weight(2, 4, 8, 8))


def test_what_depends_on_no_input_is_computed_once() -> None:
    def function(x: Tensor) -> Tensor:
        return x @ (DENSE.sum((2, 3)) * 2).t()

    x = weight(3, 4)
    traced = make_fx(function, tracing_mode="symbolic", _allow_non_fake_inputs=True)(x)
    before = traced(x)
    fold_constants(traced)
    called = [str(node.target) for node in traced.graph.nodes if node.op == "call_function"]
    assert called == ["aten.mm.default"]
    assert torch.allclose(traced(x), before)


def test_constant_factors_go_into_weights_and_behind_sums() -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        scaled = x * 3.0
        return F.conv2d(scaled, DENSE, padding=1), scaled.sum((2, 3))

    x = weight(2, 4, 8, 8)
    traced = make_fx(function, _allow_non_fake_inputs=True)(x)
    before = traced(x)
    absorb_factors(traced)
    fold_constants(traced)
    products = [node for node in traced.graph.nodes if node.target is torch.ops.aten.mul.Tensor]
    assert [node.args[0].target for node in products] == [torch.ops.aten.sum.dim_IntList]
    for ours, expected in zip(traced(x), before, strict=True):
        assert torch.allclose(ours, expected, rtol=1e-5, atol=1e-5)


def test_a_factor_stays_where_something_else_needs_it() -> None:
    def function(x: Tensor) -> Tensor:
        scaled = x * 3.0
        return F.conv2d(scaled, DENSE, padding=1) + scaled.exp().sum()

    x = weight(2, 4, 8, 8)
    traced = make_fx(function, _allow_non_fake_inputs=True)(x)
    before = traced(x)
    absorb_factors(traced)
    assert torch.equal(traced(x), before)


@pytest.mark.parametrize("keepdim", [True, False])
def test_a_sum_over_channels_is_a_product_with_ones(keepdim: bool) -> None:
    x = weight(2, 5, 4, 3)
    traced = make_fx(lambda x: x.sum(1, keepdim=keepdim), decomposition_table=decompositions())(x)
    assert "aten.sum" not in traced.code
    assert torch.allclose(traced(x), x.sum(1, keepdim=keepdim), atol=1e-6)


@pytest.mark.parametrize("keepdim", [True, False])
def test_a_samples_mean_is_a_product_where_samples_begin_anywhere_in_memory(keepdim: bool) -> None:
    def function(x: Tensor) -> Tensor:
        return x.mean((1, 2, 3), keepdim=keepdim)

    for side, replaced in ((5, True), (4, False)):
        x = weight(3, 1, side, side)
        traced = make_fx(function, decomposition_table=decompositions())(x)
        assert ("aten.mean" not in traced.code) == replaced
        assert traced(x).shape == function(x).shape
        assert torch.allclose(traced(x), function(x), atol=1e-6)


def test_a_mean_of_something_else_than_samples_stays() -> None:
    x = weight(3, 2, 5, 5)
    traced = make_fx(lambda x: x.mean((2, 3)), decomposition_table=decompositions())(x)
    assert "aten.mean" in traced.code


def test_a_product_of_few_rows_over_a_long_axis_has_its_longer_side_as_rows() -> None:
    a, b = weight(2, 3, 64), weight(2, 64, 32)
    traced = make_fx(lambda a, b: torch.bmm(a, b), decomposition_table=decompositions())(a, b)
    shapes: list[tuple[int, ...]] = []

    class Watch(fx.Interpreter):
        def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
            result = super().call_function(target, args, kwargs)
            if target is torch.ops.aten.bmm.default:
                shapes.append(tuple(result.shape))
            return result

    Watch(traced).run(a, b)
    assert shapes == [(2, 32, 3)]
    assert torch.allclose(traced(a, b), a @ b, atol=1e-5)
