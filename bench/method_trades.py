"""What stands beside the methods: PTI, how soon `feature` is as good, weights of a term, one code alone."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.graphs import Graphs
from bench.pti import tune
from bench.timing import significant
from relatent.core.codes import Codes
from relatent.core.methods import Method
from relatent.core.spaces import CodePart, CodeParts, Space
from relatent_export.analysis.editing import measure_edits
from relatent_export.analysis.evaluation import Evaluation, invert
from relatent_export.analysis.refining import ExportedRefinement
from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.onnx import export_module, save_graph
from relatent_export.compile.precision import Precision
from relatent_export.compile.step import state_shapes, trace_step
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_bytes
from relatent_export.objectives.multi_code import MultiCode, multi_code_synthesis

Bytes = NDArray[np.uint8]

DOMAIN_WEIGHTS = (0.001, 0.01, 0.1)


def in_domain_trade(evaluation: Evaluation, steps: int) -> dict[str, Any]:
    """`in_domain` at three weights of the domain's term: its figures, by the weight."""
    exported = evaluation.exported
    method = exported.pack.methods["in_domain"]
    found = {}
    for weight in DOMAIN_WEIGHTS:
        weighed = replace(method, terms={**method.terms, "domain": weight})
        inverted = invert(exported, weighed, evaluation.images, steps)
        figures = evaluation.figures(weighed, inverted).known()
        found[f"{weight:g}"] = {name: significant(value) for name, value in figures.items()}
    return found


def feature_steps(evaluation: Evaluation, most: int) -> dict[str, Any]:
    """Steps in which `feature` is as close as the hybrid in its default steps, by perceptual distance.

    Returns:
        `steps`, None for more than `most`; and `goal`.
    """
    exported, images = evaluation.exported, evaluation.images
    hybrid, feature = (exported.pack.methods[name] for name in ("hybrid", "feature"))
    goal = _perceptual(evaluation, invert(exported, hybrid, images, min(most, hybrid.default_steps)).codes)
    refinement = ExportedRefinement(
        exported, exported.encode(images), images, feature.rates[feature.default_start], feature
    )
    for step in range(1, most + 1):
        refinement.advance(1)
        # The best so far is that of the losses before each step, so the last step's own is not among them.
        if _perceptual(evaluation, refinement.answer) <= goal:
            return {"steps": step, "goal": significant(goal)}
    return {"steps": None, "goal": significant(goal)}


def _perceptual(evaluation: Evaluation, codes: Codes) -> float:
    distances = evaluation.exported.compare(evaluation.images_of(codes), evaluation.images)
    return float(distances["perceptual"].mean())


def multi_code_of_one(evaluation: Evaluation, networks: Networks, steps: int) -> dict[str, Any]:
    """`multi_code` with one code in place of its own number: MSE and perceptual distance of both."""
    exported = evaluation.exported
    several = exported.pack.methods["multi_code"]
    with tempfile.TemporaryDirectory() as folder:
        one, method = _with_one_code(exported, networks, several, Path(folder))
        codes = invert(one, method, evaluation.images, steps).codes
        distances = exported.compare(replace(evaluation, exported=one).images_of(codes), evaluation.images)
    return {name: significant(float(distances[name].mean())) for name in ("mse", "perceptual")}


def _with_one_code(exported: Any, networks: Networks, several: Method, folder: Path) -> tuple[Graphs, Method]:
    blended = multi_code_synthesis(networks, codes=1)
    objective = MultiCode(networks, blended, Precision.FLOAT32)
    shapes = state_shapes(objective, networks.bases)
    state = {name: replace(several.state[name], shape=tuple(shape)) for name, shape in shapes.items()}
    method = replace(several, state=state)
    parts = {name: CodePart("float32", shape) for name, shape in objective.variables.items()}
    shape = CodeParts(exported.pack.spaces[Space.MULTI].graph, parts)
    pack = replace(
        exported.pack,
        methods={**exported.pack.methods, several.name: method},
        spaces={**exported.pack.spaces, Space.MULTI: shape},
    )
    one = Graphs(pack, folder)
    model = assemble(trace_step(objective, networks.bases), several.max_steps, Iterate.LOOP)
    save_graph(model, one.path(method.graph or ""))
    examples = [torch.randn(13, *part.shape) for part in parts.values()]
    save_graph(export_module(_Bytes(blended), examples, list(parts), ["image"]), one.path(shape.graph))
    for role in ("encode", "map"):
        one.path(role).parent.mkdir(parents=True)
        one.path(role).symlink_to(exported.path(role).resolve())
    return one, method


class _Bytes(torch.nn.Module):
    def __init__(self, synthesis: torch.nn.Module) -> None:
        super().__init__()
        self.synthesis = synthesis

    def forward(self, *parts: torch.Tensor) -> torch.Tensor:
        """The parts of codes to their images uint8 [B, R, R, 3]."""
        return to_bytes(self.synthesis(*parts))


def tuned_by_pti(evaluation: Evaluation, networks: Networks, count: int, steps: int) -> dict[str, Any]:
    """PTI from the pivots that `optimize_w` finds, the first `count` images."""
    exported, images = evaluation.exported, evaluation.images[:count]
    pack, features = exported.pack, networks.features
    assert features is not None
    assert evaluation.ranges is not None
    method = pack.methods["optimize_w"]
    pivots = invert(exported, method, images, min(steps, method.default_steps))
    plain = pivots.codes.broadcast(pack.layers)
    targets = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    synthesis = networks.generator.synthesis
    began, tuned = time.perf_counter(), []
    for pivot, target in zip(plain.w, targets, strict=True):
        tuned.append(tune(synthesis, torch.from_numpy(pivot), target, features, steps))
    seconds = (time.perf_counter() - began) / count + pivots.seconds
    gains: dict[str, list[tuple[float, float, int]]] = {name: [] for name in evaluation.readers}
    made = []
    for index, result in enumerate(tuned):
        images_of = _by(result.synthesis)
        one = plain[index : index + 1]
        made.append(images_of(one))
        asked = [replace(each, codes=(0,)) for each in evaluation.asked if index in each.codes]
        found = measure_edits(one, asked, images_of, evaluation.readers, evaluation.ranges)
        for name, figures in found.items():
            gains[name].append((figures.gain, figures.leak, figures.edits))
    distances = exported.compare(np.concatenate(made), images)
    report = {
        name: significant(float(distances[name].mean())) for name in ("mse", "psnr", "ssim", "perceptual")
    }
    for name, prefix in (("own", ("edit_gain", "leak")), ("judge", ("judge_gain", "judge_leak"))):
        weights = [edits for _, _, edits in gains[name]]
        for place, key in enumerate(prefix):
            report[key] = significant(float(np.average([row[place] for row in gains[name]], weights=weights)))
    return {
        **report,
        "code_bytes": tuned[0].size,
        "passes": pivots.steps + steps + 1,
        "seconds": significant(seconds),
    }


def _by(synthesis: torch.nn.Module) -> Any:
    @torch.no_grad()
    def images_of(codes: Codes) -> Bytes:
        made: Bytes = to_bytes(synthesis(torch.from_numpy(codes.w))).numpy()
        return made

    return images_of
