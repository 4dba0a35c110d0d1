"""The pictures of `bench.methods`: its figures as points, and what each method makes of a few drawings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.methods import reconstructing
from relatent.core.pack import read_pack
from relatent_export.analysis.evaluation import Evaluation, invert
from relatent_export.demo.pictures import save_sheet
from relatent_export.packs.weights import load_networks

_SHOWN = 6


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw how close each method comes over its seconds, and over the leak of its edits."""
    rows = {**report["methods"], "pti": report["pti"]}
    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=110)
    axes = figure.subplots(1, 2, sharey=True)
    for place, (across, label) in zip(
        axes, (("seconds", "seconds an image"), ("judge_leak", "leak of edits, by the judge, %")), strict=True
    ):
        for name, row in rows.items():
            place.scatter(row[across], row["mse"])
            where = (row[across], row["mse"])
            place.annotate(name, where, xytext=(4, 3), textcoords="offset points", fontsize=8)
        place.set(xlabel=label, yscale="log")
        place.margins(x=0.2)
    axes[0].set(xscale="log", ylabel="mean squared error")
    # The versions of what drew it would change the bytes of an equal picture.
    figure.savefig(path, metadata={"Software": None})


def draw_sheet(settings: BenchSettings, path: Path) -> None:
    """Drawings (first row), and a row of reconstructions a method, in the order of the pack's methods."""
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    graphs, images = Graphs(pack, settings.repository), HeldOut.first(_SHOWN).images
    evaluation = Evaluation(graphs, load_networks(folder), images, (), None, {})
    rows = [list(images)]
    for method in reconstructing(pack):
        steps = min(method.default_steps, 4) if settings.quick else None
        rows.append(list(evaluation.images_of(invert(graphs, method, images, steps).codes)))
    beside = [np.concatenate([*row], axis=1) for row in rows]
    save_sheet([[each] for each in beside], path)
