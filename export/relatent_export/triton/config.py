"""A Triton model configuration as values, written through Triton's own schema."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import onnx
from google.protobuf import text_format
from onnx import TensorProto
from tritonclient.grpc import model_config_pb2

from relatent.core.graphs import PACK, REVISION
from relatent_export.writing import named

_TYPES: dict[int, Any] = {
    TensorProto.FLOAT: model_config_pb2.TYPE_FP32,
    TensorProto.FLOAT16: model_config_pb2.TYPE_FP16,
    TensorProto.UINT8: model_config_pb2.TYPE_UINT8,
    TensorProto.INT32: model_config_pb2.TYPE_INT32,
    TensorProto.INT64: model_config_pb2.TYPE_INT64,
}

_WARMUP = "warmup"
"""Triton's own name for the folder that warm-up data lies in."""


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        data_type: ONNX's number of the type.
        dims: without the batch axis.
    """

    name: str
    data_type: int
    dims: tuple[int, ...]


@dataclass(frozen=True)
class Accelerator:
    """A provider that Triton's ONNX Runtime backend puts before CUDA's.

    Attributes:
        name: as the backend calls it.
        parameters: its options; the backend refuses to load a model with one that it does not know.
    """

    name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class ModelConfig:
    """What a model repository says of one model.

    Attributes:
        name: of the model and its folder.
        max_batch: most samples of one execution.
        inputs, outputs: in the graph's order.
        warmup: batch sizes that are run before the model counts as ready.
        warmup_data: of inputs that must not be zero then, the bytes of one sample.
        parameters: free text for whoever reads the configuration, and some of the backend's options.
        gpu: whether the model must run on a GPU; if not, it runs on whatever the server has.
        accelerators: in the order in which they may take nodes.
    """

    name: str
    max_batch: int
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    warmup: tuple[int, ...]
    parameters: Mapping[str, str] = field(default_factory=dict)
    warmup_data: Mapping[str, bytes] = field(default_factory=dict)
    gpu: bool = False
    accelerators: tuple[Accelerator, ...] = ()

    def __post_init__(self) -> None:
        if self.max_batch < 1:
            raise ValueError(f"max_batch: expected at least 1, got {self.max_batch}")
        for size in self.warmup:
            if not 1 <= size <= self.max_batch:
                raise ValueError(f"warmup: expected sizes from 1 to {self.max_batch}, got {size}")

    def to_text(self) -> str:
        """The configuration as `config.pbtxt`."""
        config = model_config_pb2.ModelConfig(
            name=self.name, backend="onnxruntime", max_batch_size=self.max_batch
        )
        for tensor in self.inputs:
            config.input.add(name=tensor.name, data_type=_TYPES[tensor.data_type], dims=tensor.dims)
        for tensor in self.outputs:
            config.output.add(name=tensor.name, data_type=_TYPES[tensor.data_type], dims=tensor.dims)
        # No queue policy (deadlines, limits): each switches the batcher's prefetching off. The service owns
        # them. No delay either: what a service has ready at one moment it sends as one request, and what
        # comes while that runs is the next batch. No `kind` either unless it must be a GPU, so that one file
        # serves both.
        config.dynamic_batching.SetInParent()
        group = config.instance_group.add(count=1)
        if self.gpu:
            group.kind = model_config_pb2.ModelInstanceGroup.KIND_GPU
        for accelerator in self.accelerators:
            added = config.optimization.execution_accelerators.gpu_execution_accelerator.add()
            added.name = accelerator.name
            added.parameters.update(accelerator.parameters)
        for size in self.warmup:
            sample = config.model_warmup.add(name=f"batch_{size}", batch_size=size)
            for tensor in self.inputs:
                entry = sample.inputs[tensor.name]
                entry.data_type = _TYPES[tensor.data_type]
                entry.dims.extend(tensor.dims)
                if tensor.name in self.warmup_data:
                    entry.input_data_file = tensor.name
                else:
                    entry.zero_data = True
        for key, value in sorted(self.parameters.items()):
            config.parameters[key].string_value = value
        return str(text_format.MessageToString(config))

    def write(self, folder: Path) -> None:
        """Write the configuration, and what the warm-up reads, into a model's folder.

        Raises:
            OSError: a file cannot be written; names it.
        """
        shutil.rmtree(folder / _WARMUP, ignore_errors=True)
        data = {Path(_WARMUP) / name: data for name, data in self.warmup_data.items()}
        for place, content in {Path("config.pbtxt"): self.to_text().encode(), **data}.items():
            path = folder / place
            path.parent.mkdir(exist_ok=True)
            with named(path):
                path.write_bytes(content)


@dataclass(frozen=True)
class Ensemble:
    """Two models, one after the other in one call: the second takes what the first gives.

    Attributes:
        name: of the ensemble and its folder.
        first, second: the models' configurations.
    """

    name: str
    first: model_config_pb2.ModelConfig
    second: model_config_pb2.ModelConfig

    def to_text(self) -> str:
        """The configuration as `config.pbtxt`: what the first takes, and what both give."""
        config = model_config_pb2.ModelConfig(
            name=self.name,
            platform="ensemble",
            max_batch_size=min(self.first.max_batch_size, self.second.max_batch_size),
            input=self.first.input,
            output=[*self.first.output, *self.second.output],
        )
        for model in (self.first, self.second):
            step = config.ensemble_scheduling.step.add(model_name=model.name, model_version=-1)
            step.input_map.update({tensor.name: tensor.name for tensor in model.input})
            step.output_map.update({tensor.name: tensor.name for tensor in model.output})
        for key, value in sorted(self.first.parameters.items()):
            if key in (PACK, REVISION):
                config.parameters[key].string_value = value.string_value
        return str(text_format.MessageToString(config))

    def write(self, folder: Path) -> None:
        """Write the configuration into the ensemble's folder, and the version that Triton wants to see.

        Raises:
            OSError: a file cannot be written; names it.
        """
        # Git keeps no empty folder, and Triton wants one.
        for path, text in ((folder / "config.pbtxt", self.to_text()), (folder / "1" / "ensemble", "")):
            path.parent.mkdir(parents=True, exist_ok=True)
            with named(path):
                path.write_text(text)


def parse_config(text: str) -> model_config_pb2.ModelConfig:
    """Read a `config.pbtxt`; unknown fields are errors.

    Raises:
        google.protobuf.text_format.ParseError: it is not one.
    """
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def tensors(values: list[onnx.ValueInfoProto]) -> tuple[Tensor, ...]:
    """A graph's inputs or outputs, without their batch axis."""
    return tuple(
        Tensor(
            value.name,
            value.type.tensor_type.elem_type,
            tuple(d.dim_value for d in value.type.tensor_type.shape.dim[1:]),
        )
        for value in values
    )
