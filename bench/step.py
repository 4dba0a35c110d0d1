"""One refinement step: the exported graph in ONNX Runtime against PyTorch autograd.

Same weights, same objective, same targets and starts, same cores; by turns in one run. Each turn
times one call of the graph (`max_steps` steps) and as many steps of each PyTorch loop; figures are
per step. The graph also honours a mask, a step count and a learning rate of each sample, which the
loops do not; their losses are compared so that both surely did the same work.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.graphs import Array, Graphs, Refinement
from bench.projectors import Problem, Projector, step_flops
from bench.settings import Settings
from bench.targets import targets
from bench.timing import by_turns, ratios, significant, spread
from export.demo.load import load_demo
from relatent.pack import read_pack
from service.engine.sessions import available_cores

BATCHES = (1, 8)
MATRIX = 1536
"""Side of the square matrices that measure the machine."""


def run(settings: Settings) -> dict[str, Any]:
    """Measure.

    Returns:
        `speedup_batch_1` and `speedup_batch_8` against the frozen loop, `..._wasteful_...` against
        the wasteful one, and for each batch the seconds a step takes, the rate it does arithmetic
        at, and that over the machine's rate of matrix products.
    """
    torch.set_num_threads(available_cores())
    rounds = 1 if settings.quick else 15
    pack = read_pack(settings.packs / settings.pack)
    graphs = Graphs(pack, settings.repository)
    report: dict[str, Any] = {}
    for batch in BATCHES:
        report[f"batch_{batch}"] = _batch(graphs, targets(graphs, batch), rounds)
    for batch in BATCHES:
        figures = report[f"batch_{batch}"]
        report[f"speedup_batch_{batch}"] = figures["speedup"]["median"]
        report[f"wasteful_speedup_batch_{batch}"] = figures["wasteful_speedup"]["median"]
    return report | {"rounds": rounds, "steps_a_round": pack.refinement.max_steps}


def _batch(graphs: Graphs, drawings: Array, rounds: int) -> dict[str, Any]:
    steps = graphs.pack.refinement.max_steps
    rate = graphs.pack.refinement.learning_rate["encoder"]
    codes = graphs.encode(drawings)
    problem = Problem(
        target=torch.from_numpy(drawings).permute(0, 3, 1, 2).contiguous().float() / 127.5 - 1,
        start=torch.from_numpy(codes),
        learning_rate=rate,
        weights=graphs.pack.refinement.weights,
    )
    networks = load_demo()
    frozen = Projector(networks.generator.synthesis, networks.attributes, wasteful=False)
    wasteful = Projector(networks.generator.synthesis, networks.attributes, wasteful=True)

    def graph() -> Array:
        refinement = Refinement(graphs, drawings, codes, rate)
        refinement.advance(steps)
        return refinement.losses

    difference = np.abs(graph() / frozen.run(problem, steps).numpy() - 1).max()
    matrix = torch.rand(MATRIX, MATRIX)
    taken = by_turns(
        {
            "onnxruntime": graph,
            "pytorch": lambda: frozen.run(problem, steps),
            "pytorch_wasteful": lambda: wasteful.run(problem, steps),
            "matrix": lambda: matrix @ matrix,
        },
        rounds,
    )
    flops = step_flops(frozen, problem)
    machine = 2 * MATRIX**3 / np.array(taken.pop("matrix"))
    # What the machine can do is its best turn: neighbours slow a product down, nothing speeds it up.
    peak = float(machine.max()) / 1e9
    return {
        "speedup": spread(ratios(taken["pytorch"], taken["onnxruntime"])).as_json(),
        "wasteful_speedup": spread(ratios(taken["pytorch_wasteful"], taken["onnxruntime"])).as_json(),
        "seconds_a_step": {name: spread(np.array(times) / steps).as_json() for name, times in taken.items()},
        "gflop_a_step": significant(flops / 1e9),
        "gflops": {name: spread(_rate(flops, times, steps)).as_json() for name, times in taken.items()},
        "matrix_product_gflops": spread(machine / 1e9).as_json(),
        "share_of_machine": {
            name: spread(_rate(flops, times, steps) / peak).as_json() for name, times in taken.items()
        },
        "largest_loss_difference": significant(float(difference)),
    }


def _rate(flops: int, times: list[float], steps: int) -> Array:
    """GFLOP a second in each round."""
    return flops * steps / np.array(times) / 1e9
