"""Reading attributes so that gradients go through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from relatent_export.attributes.graphs import IMAGE, READINGS
from relatent_export.directions.controls import readings_of
from relatent_export.directions.gradients import differentiable_reader
from relatent_export.nets.networks import Networks

SIDE = 8


def graph(operator: str) -> bytes:
    """The mean of each channel of bytes, by way of an operator."""
    nodes = [
        helper.make_node("Cast", [IMAGE], ["floats"], to=TensorProto.FLOAT),
        helper.make_node(operator, ["floats"], ["passed"]),
        helper.make_node("ReduceMean", ["passed", "axes"], [READINGS], keepdims=0),
    ]
    made = helper.make_graph(
        nodes,
        "means",
        [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info(READINGS, TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.array([1, 2]), "axes")],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()


def test_a_graph_of_bytes_is_read_as_of_floats_with_its_derivative(small: Networks) -> None:
    read = differentiable_reader(replace(small, attributes=None, attribute_graph=graph("Identity")))
    images = torch.rand(2, 3, SIDE, SIDE, requires_grad=True)
    found = read(images)
    torch.testing.assert_close(found, (images.detach().mean((2, 3)) + 1) * 127.5)
    (slope,) = torch.autograd.grad(found.sum(), images)
    torch.testing.assert_close(slope, torch.full_like(images, 127.5 / SIDE**2))


def test_a_network_of_pytorchs_is_read_as_it_is(small: Networks) -> None:
    images = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(differentiable_reader(small)(images), readings_of(small, images))


def test_an_operator_without_a_gradient_is_named(small: Networks) -> None:
    with pytest.raises(ValueError, match="operator that gradients are taken through here, got Round"):
        differentiable_reader(replace(small, attributes=None, attribute_graph=graph("Round")))
