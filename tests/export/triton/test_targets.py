from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn
from tritonclient.grpc import model_config_pb2

from relatent_export.compile.loop import Iterate
from relatent_export.compile.lowering import folded
from relatent_export.compile.onnx import export_module
from relatent_export.compile.precision import Precision
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_bytes
from relatent_export.nets.stylegan2 import Synthesis
from relatent_export.triton.config import ModelConfig, parse_config, tensors
from relatent_export.triton.targets import Target, configured, graph_precision
from relatent_export.triton.tensorrt import Unsupported, check, fit
from tests.export.conftest import MAX_STEPS
from tests.export.running import conditions, first_state, run
from tests.fixtures.small import SMALL

FLOAT32, FLOAT16 = Precision
ROLES = ("encode", "map", "synthesize", "assess", "attributes", "refine")


def small_graph(number: float = 1.0) -> onnx.ModelProto:
    """Bytes in another order, halved: [B, 4, 4, 3] and [B, 2] to [B, 3, 4, 4]."""
    nodes = [
        helper.make_node("Transpose", ["image"], ["turned"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["turned"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "factor"], ["halved"]),
        helper.make_node("ReduceMax", ["more"], ["most"], keepdims=0),
        helper.make_node("Add", ["halved", "most"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["bytes"], to=TensorProto.UINT8),
        helper.make_node("Transpose", ["bytes"], ["back"], perm=[0, 2, 3, 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [
            helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 4, 4, 3]),
            helper.make_tensor_value_info("more", TensorProto.FLOAT, ["batch", 2]),
        ],
        [helper.make_tensor_value_info("back", TensorProto.UINT8, ["batch", 4, 4, 3])],
        [helper.make_tensor("factor", TensorProto.FLOAT, [], [number / 2])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def config(model: onnx.ModelProto) -> ModelConfig:
    return ModelConfig(
        name="toy_draw",
        max_batch=16,
        inputs=tensors(list(model.graph.input)),
        outputs=tensors(list(model.graph.output)),
        warmup=(1, 8, 16),
        parameters={"relatent.revision": "abc"},
    )


def parsed(target: Target, precision: Precision = FLOAT32) -> model_config_pb2.ModelConfig:
    model = small_graph()
    return parse_config(configured(config(model), target, precision, model).to_text())


# ---- what is written for Triton


def test_for_processors_no_gpu_is_asked_for() -> None:
    written = parsed(Target.CPU)
    assert [g.kind for g in written.instance_group] == [model_config_pb2.ModelInstanceGroup.KIND_AUTO]
    assert not written.HasField("optimization")


@pytest.mark.parametrize("target", Target)
def test_cudnn_searches_no_algorithm_for_each_new_batch_on_whatever_gpu_a_model_meets(target: Target) -> None:
    # Among the model's parameters: the backend overrides what an accelerator "cuda" says of this one.
    assert parsed(target).parameters["cudnn_conv_algo_search"].string_value == "1"


def test_for_cuda_a_gpu_is_needed() -> None:
    written = parsed(Target.CUDA)
    assert [(g.count, g.kind) for g in written.instance_group] == [
        (1, model_config_pb2.ModelInstanceGroup.KIND_GPU)
    ]
    assert written.parameters["relatent.revision"].string_value == "abc"
    assert not written.HasField("optimization")


@pytest.mark.parametrize("precision", [FLOAT32, FLOAT16])
def test_for_tensorrt_engines_are_kept_and_made_for_every_batch_of_the_warmup(precision: Precision) -> None:
    written = parsed(Target.TENSORRT, precision)
    (accelerator,) = written.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    options = dict(accelerator.parameters)
    assert options.pop("trt_engine_cache_path").startswith("/models/toy_draw/1/engines-")
    assert options == {
        "precision_mode": {FLOAT32: "FP32", FLOAT16: "FP16"}[precision],
        "max_workspace_size_bytes": "4294967296",
        "trt_engine_cache_enable": "1",
        "trt_timing_cache_enable": "1",
        "trt_profile_min_shapes": "image:1x4x4x3,more:1x2",
        "trt_profile_opt_shapes": "image:8x4x4x3,more:8x2",
        "trt_profile_max_shapes": "image:16x4x4x3,more:16x2",
    }
    assert [sample.batch_size for sample in written.model_warmup] == [1, 8, 16]
    assert written.instance_group[0].kind == model_config_pb2.ModelInstanceGroup.KIND_GPU


def test_engines_of_other_weights_lie_elsewhere() -> None:
    """TensorRT's provider tells engines apart by their graph, and would take those of the old weights."""

    def place(model: onnx.ModelProto) -> str:
        (accelerator,) = configured(config(model), Target.TENSORRT, FLOAT32, model).accelerators
        return accelerator.parameters["trt_engine_cache_path"]

    assert place(small_graph()) == place(small_graph())
    assert place(small_graph()) != place(small_graph(2.0))
    assert re.fullmatch(r"/models/toy_draw/1/engines-[0-9a-f]{12}", place(small_graph()))


# ---- which precision goes where


def test_half_precision_is_for_gpus() -> None:
    with pytest.raises(ValueError, match="precision: expected float32 for target cpu, got fp16"):
        graph_precision("encode", Target.CPU, FLOAT16)


def test_measures_stay_in_float32_and_so_does_an_optimiser_that_tensorrt_would_round() -> None:
    halved = {
        target: [role for role in ROLES if graph_precision(role, target, FLOAT16) is FLOAT16]
        for target in (Target.CUDA, Target.TENSORRT)
    }
    assert halved == {
        Target.CUDA: ["encode", "synthesize", "attributes", "refine"],
        Target.TENSORRT: ["encode", "synthesize", "attributes"],
    }
    assert all(graph_precision(role, target, FLOAT32) is FLOAT32 for role in ROLES for target in Target)


def test_refinement_is_unrolled_for_tensorrt_alone() -> None:
    assert {target: target.iterate for target in Target} == {
        Target.CPU: Iterate.LOOP,
        Target.CUDA: Iterate.LOOP,
        Target.TENSORRT: Iterate.UNROLL,
    }


# ---- graphs that TensorRT takes


def test_bytes_are_cast_at_the_edges_and_nothing_else_changes() -> None:
    plain, fitted = small_graph(), fit(small_graph(), "toy")
    onnx.checker.check_model(fitted, full_check=True)
    feed = {
        "image": np.random.default_rng(0).integers(0, 256, (3, 4, 4, 3), dtype=np.uint8),
        "more": np.array([[1, 2], [3, 4], [5, 0]], np.float32),
    }
    before, after = (onnxruntime.InferenceSession(m.SerializeToString()) for m in (plain, fitted))
    assert np.array_equal(run(before, feed)["back"], run(after, feed)["back"])


def test_bytes_that_are_moved_are_refused_before_they_are_cast() -> None:
    with pytest.raises(Unsupported, match="toy: TensorRT does not take Transpose of UINT8"):
        check(small_graph(), "toy")


def test_an_operator_that_tensorrt_has_not_is_named() -> None:
    model = small_graph()
    model.graph.node[2].op_type = "Mod"
    with pytest.raises(Unsupported, match="toy: TensorRT does not take Mod of FLOAT"):
        fit(model, "toy")


@pytest.mark.parametrize("role", ["encode", "map", "synthesize", "assess", "attributes", "refine_unrolled"])
def test_tensorrt_takes_every_node_of_our_graphs(graphs: dict[str, onnx.ModelProto], role: str) -> None:
    """Else the graph falls into parts whose inputs have no profile, and it is not loaded at all."""
    model = onnx.ModelProto()
    model.CopyFrom(graphs[role])
    fit(model, role)


def test_a_loop_is_not_for_tensorrt(graphs: dict[str, onnx.ModelProto]) -> None:
    with pytest.raises(Unsupported, match="Loop"):
        check(graphs["refine"], "refine")


def test_unrolled_refinement_fitted_to_tensorrt_is_the_same(
    small: Networks, graphs: dict[str, onnx.ModelProto], sessions: dict[str, onnxruntime.InferenceSession]
) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(graphs["refine_unrolled"])
    session = onnxruntime.InferenceSession(fit(model, "refine").SerializeToString())
    codes = np.random.default_rng(0).standard_normal((2, SMALL.layers, SMALL.latent_width), dtype=np.float32)
    feed = {**first_state(small, codes), **conditions(2, 32, [MAX_STEPS, 2])}
    ours, plain = run(session, feed), run(sessions["refine_unrolled"], feed)
    for name, value in plain.items():
        assert np.allclose(ours[name], value, rtol=1e-4, atol=1e-6, equal_nan=True), name


class HalfImage(nn.Module):
    def __init__(self, synthesis: Synthesis) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(self, w: Tensor) -> Tensor:
        return to_bytes(self.synthesis(w, torch.float16))


def test_synthesis_in_half_is_taken_whole_convolves_in_half_and_gives_the_same_bytes(small: Networks) -> None:
    synthesis = small.generator.synthesis
    assert isinstance(synthesis, Synthesis)
    codes = torch.randn(3, SMALL.layers, SMALL.latent_width, generator=torch.Generator().manual_seed(0))
    traced = folded(HalfImage(synthesis), [codes])
    model = fit(export_module(traced, [codes], ["w"], ["image"]), "synthesize")
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    types = {value.name: value.type.tensor_type.elem_type for value in graph.value_info}
    convolved = [types[n.output[0]] for n in graph.node if n.op_type in ("Conv", "ConvTranspose")]
    # Colours are resampled in float32; of the layers, every second has a low-pass filter as well.
    doublings = len(SMALL.channels) - 1
    assert convolved.count(TensorProto.FLOAT) == doublings
    assert convolved.count(TensorProto.FLOAT16) == 1 + 3 * doublings
    assert len(convolved) == 1 + 4 * doublings
    weights = {tensor.name: tensor.data_type for tensor in graph.initializer}
    kernels = [weights[n.input[1]] for n in graph.node if n.op_type in ("Conv", "ConvTranspose")]
    assert kernels.count(TensorProto.FLOAT16) == 1 + 3 * doublings  # as they are used, not as they were
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for batch in (1, 3):
        image = run(session, {"w": codes[:batch].numpy()})["image"]
        assert np.abs(image.astype(int) - to_bytes(synthesis(codes[:batch])).numpy()).mean() < 0.2


def test_a_configuration_keeps_what_it_had_for_another_target() -> None:
    model = small_graph()
    plain = replace(config(model), max_batch=4, warmup=(1, 4))
    written = configured(plain, Target.TENSORRT, FLOAT32, model)
    assert (written.max_batch, written.inputs, written.outputs) == (4, plain.inputs, plain.outputs)
