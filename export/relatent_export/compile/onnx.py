"""Exporting a PyTorch module to ONNX, as every graph of a pack is exported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnx_ir
import onnx_ir.passes.common as passes
import torch
from onnxscript.optimizer import fold_constants_ir
from torch import Tensor, nn

from relatent_export.nets.stored_names import stored_name
from relatent_export.writing import whole_file

EXAMPLES = 13
"""Samples of example inputs: as many as nothing else has of anything. A tracer takes sizes that are equal
for the same, and maps of 2 pixels on a side for a batch of 2."""

OPSET = 18
IR_VERSION = 8
"""What onnxruntime has read since 1.14 and Triton since 23.03."""


def export_module(
    module: nn.Module,
    inputs: list[Tensor],
    input_names: list[str],
    output_names: list[str],
    *,
    scalars: frozenset[str] | set[str] = frozenset(),
    table: dict[Any, Any] | None = None,
    plain: bool = False,
) -> onnx.ModelProto:
    """Export a module with a free batch axis.

    Args:
        module: takes `inputs` in order.
        inputs: examples, batch axis first.
        input_names: of the graph, in order.
        output_names: of the graph, in order.
        scalars: inputs without a batch axis.
        table: decompositions to apply before those of the exporter.
        plain: whether the module is a graph of plain operators already, as `make_fx` traces them.

    Returns:
        A model of opset 18 with its weights inside.
    """
    batch = torch.export.Dim("batch", min=1, max=4096)
    shapes = tuple({} if name in scalars else {0: batch} for name in input_names)
    program = torch.export.export(
        _Ordered(module), tuple(inputs), dynamic_shapes={"tensors": shapes}, strict=False
    )
    if table is not None:
        program = program.run_decompositions(table)
    if plain or table is not None:
        _decompose_only_what_is_left(program)
    exported = torch.onnx.export(
        program,
        dynamo=True,
        input_names=input_names,
        output_names=output_names,
        opset_version=OPSET,
        optimize=False,
        external_data=False,
        verbose=False,
    )
    assert exported is not None
    _simplify(exported.model)
    model = exported.model_proto
    model.ir_version = IR_VERSION
    return model


def _decompose_only_what_is_left(program: torch.export.ExportedProgram) -> None:
    """Let the exporter keep a graph in which there is nothing to decompose.

    It would trace all of it twice more, to the same graph, in most of the time that an export takes.
    """
    decompose = program.run_decompositions

    def run_decompositions(table: Mapping[Any, Any], **options: Any) -> torch.export.ExportedProgram:
        calls = (node for node in program.graph.nodes if node.op == "call_function")
        return decompose({**table}, **options) if any(node.target in table for node in calls) else program

    setattr(program, "run_decompositions", run_decompositions)  # noqa: B010


def _simplify(model: onnx_ir.Model) -> None:
    """Fold and tidy.

    The exporter's own optimiser is left out for one of its rules: it takes an addition of 1e-8 for
    one of zero and drops it, and with it the guard of every division here.
    """
    passes.InlinePass()(model)
    fold_constants_ir(model, onnx_shape_inference=True)
    tidying = (
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
        passes.RemoveUnusedOpsetsPass(),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    )
    for tidy in tidying:
        tidy(model)
    _rename_weights(model.graph)


def _rename_weights(graph: onnx_ir.Graph) -> None:
    """Give weights the names that they are kept by, in their order."""
    weights = list(graph.initializers.values())
    graph.initializers.clear()
    for weight in weights:
        assert weight.name is not None
        weight.name = stored_name(weight.name)
        graph.initializers.add(weight)


class _Ordered(nn.Module):
    """Gives a traced module one variadic signature, so that every export reads alike."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *tensors: Tensor) -> Any:
        return self.module(*tensors)


def clean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Drop what the exporter notes of its own run: stack traces with paths, versions, doc strings."""
    model.producer_name, model.producer_version, model.doc_string = "relatent", "", ""
    del model.metadata_props[:]
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        graph.doc_string = ""
        del graph.metadata_props[:]
        for value in (*graph.input, *graph.output, *graph.value_info):
            value.doc_string = ""
            del value.metadata_props[:]
        del graph.value_info[:]
        for tensor in graph.initializer:
            tensor.doc_string = ""
            del tensor.metadata_props[:]
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
            graphs += [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    return model


def save_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write a model so that equal models give equal bytes.

    Raises:
        OSError: it cannot be written; names the file.
    """
    with whole_file(path) as partial:
        partial.write_bytes(model.SerializeToString(deterministic=True))
