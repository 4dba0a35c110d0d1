"""What a model repository is exported for: processors, CUDA, or CUDA with TensorRT in front.

    cpu        as committed: runs wherever Triton runs, on a GPU if there is one
    cuda       ONNX Runtime's CUDA provider, which must find a GPU
    tensorrt   its TensorRT provider, CUDA's for what that leaves; refinement is unrolled

No GPU was at hand when this was written: what it configures was read off the sources it names, and the
graphs were checked against the operators that TensorRT's parser documents
(`relatent_export.triton.tensorrt`).
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import StrEnum

import onnx

from relatent.core.graphs import is_refinement
from relatent_export.compile.loop import Iterate
from relatent_export.compile.precision import Precision
from relatent_export.triton.config import Accelerator, ModelConfig

MODELS = "/models"
"""Where Triton's container has the model repository: in the Dockerfile and in deploy/build-engines."""

_WORKSPACE = 4 << 30
"""Bytes that TensorRT may use while a graph runs."""

# Options of Triton's ONNX Runtime backend, from ModelState::LoadModel in src/onnxruntime.cc of
# triton-inference-server/onnxruntime_backend (as of Triton 24.10) and the table in its README.
#
# Where a configuration has `parameters`, and ours do, the backend sets four of CUDA's options from them,
# or else to their defaults, over what an accelerator `cuda` says: this one must stand among them. Its
# default, "0", tries every algorithm for each new shape, and with batches formed on the fly shapes are
# always new; "1" asks cuDNN's heuristic. A model exported for processors runs on a GPU where there is one,
# so it stands among all models'.
_CUDA = {"cudnn_conv_algo_search": "1"}

_FIXED = frozenset({"map", "assess"})
"""Roles whose graphs are float32 always: one is small, and the other measures."""


class Target(StrEnum):
    """What Triton runs the graphs on."""

    CPU = "cpu"
    CUDA = "cuda"
    TENSORRT = "tensorrt"

    @property
    def iterate(self) -> Iterate:
        """How refinement does its steps."""
        return Iterate.UNROLL if self is Target.TENSORRT else Iterate.LOOP


def graph_precision(role: str, target: Target, precision: Precision) -> Precision:
    """The precision to export a role's graph in when a repository's is `precision`.

    TensorRT in its FP16 mode takes a graph's types for advice: it may compute any layer in half, and
    Adam's squared gradients, which half precision has no room for, are layers like all others
    (TensorRT's documentation, "Precision control": weakly typed networks). So refinement stays in
    float32 there, which on GPUs since Ampere multiplies in TF32.

    Raises:
        ValueError: the target has no half precision.
    """
    if precision is Precision.FLOAT32:
        return precision
    if target is Target.CPU:
        raise ValueError(
            f"precision: expected {Precision.FLOAT32} for target {target}, got {precision}: "
            "ONNX Runtime computes it in float32 there, and more slowly"
        )
    if role in _FIXED or (is_refinement(role) and target is Target.TENSORRT):
        return Precision.FLOAT32
    return precision


def configured(
    config: ModelConfig, target: Target, precision: Precision, model: onnx.ModelProto
) -> ModelConfig:
    """A model's configuration for a target.

    Args:
        config: as it is for every target.
        target: where the model runs.
        precision: that its graph was exported in.
        model: the graph, as it is saved.
    """
    config = replace(config, parameters={**config.parameters, **_CUDA})
    if target is Target.CPU:
        return config
    # The backend itself puts CUDA's provider last; an accelerator of that name would only add options.
    accelerators = (_tensorrt(config, precision, model),) if target is Target.TENSORRT else ()
    return replace(config, gpu=True, accelerators=accelerators)


def _tensorrt(config: ModelConfig, precision: Precision, model: onnx.ModelProto) -> Accelerator:
    # An engine's name tells the graph's nodes, but not their weights: engines of another graph must
    # not lie in the same folder. The provider makes that folder, but none above it.
    graph = hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()
    return Accelerator(
        "tensorrt",
        {
            "precision_mode": "FP16" if precision is Precision.FLOAT16 else "FP32",
            "max_workspace_size_bytes": str(_WORKSPACE),
            "trt_engine_cache_enable": "1",
            "trt_engine_cache_path": f"{MODELS}/{config.name}/1/engines-{graph[:12]}",
            # Beside the engines, as no other path is given.
            "trt_timing_cache_enable": "1",
            "trt_profile_min_shapes": _shapes(config, min(config.warmup)),
            "trt_profile_opt_shapes": _shapes(config, sorted(config.warmup)[len(config.warmup) // 2]),
            "trt_profile_max_shapes": _shapes(config, config.max_batch),
        },
    )


def _shapes(config: ModelConfig, batch: int) -> str:
    """All inputs' shapes: with one of them missing, the session is refused."""
    return ",".join(f"{tensor.name}:{'x'.join(map(str, (batch, *tensor.dims)))}" for tensor in config.inputs)
