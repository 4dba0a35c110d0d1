"""Comparing a module with its ONNX graph, alone and in company."""

from __future__ import annotations

import onnxruntime
import torch
from torch import Tensor, nn

from relatent_export.compile.onnx import export_module
from tests.export.nets.plain_encoders import assert_close


@torch.no_grad()
def assert_exports(module: nn.Module, *inputs: Tensor) -> None:
    """Export for a batch of any size; run the inputs' first sample, and all of them."""
    names = [f"input_{i}" for i in range(len(inputs))]
    model = export_module(module, list(inputs), names, ["output"])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for batch in (1, len(inputs[0])):
        given = [tensor[:batch] for tensor in inputs]
        (output,) = session.run(None, {name: x.numpy() for name, x in zip(names, given, strict=True)})
        assert_close(torch.from_numpy(output), module(*given))
