"""One refinement step: the exported graph in ONNX Runtime against PyTorch autograd.

Same weights, same objective, same targets and starts, same cores; by turns in one run. Each turn
times one call of the graph (`max_steps` steps) and as many steps of each PyTorch loop; figures are
per step. The graph also honours a mask, a step count and a learning rate of each sample, which the
loops do not; their losses are compared so that all surely did the same work.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper

from bench.graphs import Array, Graphs, targets
from bench.measurement import BenchSettings
from bench.projectors import Problem, Projector, step_flops
from bench.published import PublishedSynthesis
from bench.timing import by_turns, ratios, significant, spread
from relatent.core.methods import StartRule
from relatent.core.pack import read_pack
from relatent_export.analysis.refining import ExportedRefinement
from relatent_export.compile.onnx import IR_VERSION, OPSET
from relatent_export.demo.world import demo_parts
from relatent_export.nets.networks import Networks
from relatent_export.packs.weights import load_networks
from relatent_service.engine.cores import available_cores
from relatent_service.engine.sessions import open_for_cores

BATCHES = (1, 8)
ROUNDS = 60
"""Minutes, in all: neighbours on a shared machine slow the graph down by a fifth for half a minute at a
time, and the loops by less."""
MATRIX = 1536
"""RefinedSet of the square matrices whose product is the yardstick of arithmetic."""
MOST_DIFFERENCE = 0.01
"""Of a loss on two sides that do the same work: rounding adds up over the steps."""


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `speedup_batch_1` and `speedup_batch_8` against the frozen loop over the networks' own
        synthesis, `published_speedup_...` over the published one, `wasteful_speedup_...` against the
        wasteful loop, and for each batch the seconds a step takes, the rate it does arithmetic at,
        and that over the machine's rate of matrix products.

    Raises:
        RuntimeError: the graph's losses are not those of the loops.
    """
    torch.set_num_threads(available_cores())
    pack = read_pack(settings.packs / settings.pack)
    rounds, steps = (1, 3) if settings.quick else (ROUNDS, pack.default_method.max_steps)
    graphs = Graphs(pack, settings.repository)
    networks = load_networks(settings.packs / settings.pack)
    report: dict[str, Any] = {}
    for batch in BATCHES:
        report[f"batch_{batch}"] = _batch(graphs, networks, targets(graphs, batch), rounds, steps)
    for batch in BATCHES:
        figures = report[f"batch_{batch}"]
        report[f"speedup_batch_{batch}"] = figures["speedup"]["median"]
        report[f"published_speedup_batch_{batch}"] = figures["published_speedup"]["median"]
        report[f"wasteful_speedup_batch_{batch}"] = figures["wasteful_speedup"]["median"]
    return report | {"rounds": rounds, "steps_a_round": steps}


def _batch(graphs: Graphs, networks: Networks, drawings: Array, rounds: int, steps: int) -> dict[str, Any]:
    rate = graphs.pack.default_method.rates[StartRule.ENCODER]
    codes = graphs.encode(drawings)
    problem = Problem(
        target=torch.from_numpy(drawings).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1,
        start=torch.from_numpy(codes),
        learning_rate=rate,
        weights=graphs.pack.default_method.terms,
        coordinates=networks.coordinates,
    )
    parts = demo_parts(networks)
    synthesis, perceptual = parts.generator.synthesis, parts.attributes
    frozen = Projector(synthesis, perceptual, wasteful=False)
    published = Projector(PublishedSynthesis(synthesis), perceptual, wasteful=False)
    wasteful = Projector(synthesis, perceptual, wasteful=True)
    loops = {"pytorch": frozen, "pytorch_published": published, "pytorch_wasteful": wasteful}

    def graph() -> Array:
        refinement = ExportedRefinement(graphs, codes, drawings, rate)
        refinement.advance(steps)
        return refinement.losses

    difference = largest_difference(
        graph(), {name: loop.run(problem, steps).numpy() for name, loop in loops.items()}
    )
    taken = by_turns(
        {
            "onnxruntime": graph,
            **{name: partial(loop.run, problem, steps) for name, loop in loops.items()},
            **_matrix_products(MATRIX),
        },
        rounds,
    )
    flops = step_flops(frozen, problem)
    products = np.minimum(taken.pop("matrix_pytorch"), taken.pop("matrix_onnxruntime"))
    machine = 2 * MATRIX**3 / products
    # The yardstick is the best turn: neighbours slow a product down, nothing speeds it up.
    peak = float(machine.max()) / 1e9
    return {
        "speedup": spread(ratios(taken["pytorch"], taken["onnxruntime"])).as_json(),
        "published_speedup": spread(ratios(taken["pytorch_published"], taken["onnxruntime"])).as_json(),
        "wasteful_speedup": spread(ratios(taken["pytorch_wasteful"], taken["onnxruntime"])).as_json(),
        "seconds_a_step": {name: spread(np.array(times) / steps).as_json() for name, times in taken.items()},
        "gflop_a_step": significant(flops / 1e9),
        "gflops": {name: spread(_rate(flops, times, steps)).as_json() for name, times in taken.items()},
        "matrix_product_gflops": spread(machine / 1e9).as_json(),
        "share_of_machine": {
            name: spread(_rate(flops, times, steps) / peak).as_json() for name, times in taken.items()
        },
        "largest_loss_difference": significant(difference),
    }


def largest_difference(losses: Array, loops: Mapping[str, Array]) -> float:
    """The largest relative difference of the graph's losses to those of a loop.

    Raises:
        RuntimeError: it is too large for both to have done the same work.
    """
    differences = {name: float(np.abs(losses / others - 1).max()) for name, others in loops.items()}
    for name, difference in differences.items():
        if not difference <= MOST_DIFFERENCE:
            raise RuntimeError(f"the graph's losses differ from those of {name} by {difference:.2g}")
    return max(differences.values())


def _rate(flops: int, times: list[float], steps: int) -> Array:
    """GFLOP a second in each round."""
    return flops * steps / np.array(times) / 1e9


def _matrix_products(side: int) -> dict[str, Callable[[], object]]:
    """The yardstick of arithmetic: a product of two square matrices, in PyTorch and in ONNX Runtime."""
    matrix = np.random.default_rng(0).random((side, side), np.float32)
    tensor = torch.from_numpy(matrix)
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [side, side]) for name in ("a", "b", "c")
    ]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])], "product", values[:2], values[2:]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    session = open_for_cores(model.SerializeToString(), available_cores())
    return {
        "matrix_pytorch": lambda: tensor @ tensor,
        "matrix_onnxruntime": lambda: session.run(["c"], {"a": matrix, "b": matrix}, None),
    }
