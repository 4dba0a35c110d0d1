"""What the coordinates that refinement steps in are worth, in steps.

The bar is what the pack's graph reaches in 10 steps from the encoder's codes: the mean perceptual
distance over the images. Adam over the code's own numbers, as the public projectors use it, starts
at the same codes, minimises the same and goes on until it is as good. It is the same graph, traced
without coordinates; its step size is the one that needs the fewest steps on other images.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.graphs import Array, Graphs, targets
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent.core.methods import StartRule, StateTensor
from relatent.core.pack import read_pack
from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.onnx import save_graph
from relatent_export.compile.step import Bases, state_shapes, trace_step
from relatent_export.demo.starts import RefinedSet
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.packs.weights import load_networks

STEPS = 10
RATES = (0.015, 0.02, 0.03, 0.04, 0.06)
SWEPT = 16
"""Images that the step size is chosen on; no others of the measurement's."""


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `step_gain`, the plain steps over the graph's, with `censored` true where the plain side did
        not get there and the gain is therefore a lower bound.
    """
    pack = read_pack(settings.packs / settings.pack)
    graphs, networks = Graphs(pack, settings.repository), load_networks(settings.packs / settings.pack)
    with tempfile.TemporaryDirectory() as folder:
        return count(graphs, stepping(graphs, networks, {}, Path(folder)), quick=settings.quick)


def count(graphs: Graphs, plain: Graphs, *, quick: bool, rate: float | None = None) -> dict[str, Any]:
    """Count the steps that a pack's refinement takes without coordinates to be as good as with them.

    Args:
        graphs: of the pack.
        plain: the same, its refinement stepping along the code's own numbers.
        quick: few images and steps.
        rate: the plain side's step size; the best of some if left out.

    Returns:
        As `run`.
    """
    images, most, rates = (2, 20, RATES[:1]) if quick else (64, 400, RATES)
    drawings = targets(graphs, images + SWEPT)
    if rate is None:
        swept = {rate: _count(graphs, plain, drawings[images:], rate, most)[0] for rate in rates}
        rate = min(swept, key=lambda rate: swept[rate] or most + 1)
    steps, goal = _count(graphs, plain, drawings[:images], rate, most)
    return {
        "step_gain": significant((steps or most) / STEPS),
        "censored": steps is None,
        "steps": STEPS,
        "plain_steps": steps or most,
        "perceptual": significant(goal),
        "learning_rate": {"own": graphs.pack.default_method.rates[StartRule.ENCODER], "plain": rate},
        "images": images,
    }


def _count(
    graphs: Graphs, plain: Graphs, drawings: Array, rate: float, most: int
) -> tuple[int | None, float]:
    """The plain steps to the graph's quality, None for too many; and that quality."""
    codes = graphs.encode(drawings)
    own = RefinedSet(graphs, codes, drawings, graphs.pack.default_method.rates[StartRule.ENCODER])
    own.advance(STEPS)
    goal = own.quality().perceptual
    return RefinedSet(plain, codes, drawings, rate).advance_until(goal, most), goal


def stepping(graphs: Graphs, networks: Networks, bases: Bases, folder: Path) -> Graphs:
    """A pack whose refinement steps in other coordinates, all else the same.

    Args:
        graphs: of the pack.
        networks: its own.
        bases: the coordinates; none for the code's own numbers.
        folder: of the graphs.
    """
    objective, pack = reconstruction_objective(networks), graphs.pack
    model = assemble(trace_step(objective, bases), pack.default_method.max_steps, Iterate.LOOP)
    state = {
        name: StateTensor(shape, pack.default_method.state[name].initial)
        for name, shape in state_shapes(objective, bases).items()
    }
    method = replace(pack.default_method, state=state)
    other = Graphs(replace(pack, methods={method.name: method}), folder)
    save_graph(model, other.path(graphs.pack.default_method.graph or ""))
    for role in ("encode", "synthesize", "assess"):
        other.path(role).parent.mkdir(parents=True)
        other.path(role).symlink_to(graphs.path(role).resolve())
    return other
