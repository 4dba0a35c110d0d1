"""A plot of what a direction does: every attribute over its strengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from relatent.core.directions import Direction
from relatent_export.directions.measuring import Ruler
from relatent_export.writing import whole_file

_STRENGTHS = 9
_LEFT_OUT = 3.0
"""Per cent of its range: attributes that change by less all the way are drawn in grey, without a name."""


def save_plot(direction: Direction, ruler: Ruler, path: Path) -> None:
    """Write how far attributes change on average, in percent of ranges, over the strengths that make sense.

    Raises:
        OSError: it cannot be written; names the file.
    """
    strengths = np.linspace(direction.min_strength, direction.max_strength, _STRENGTHS)
    changes = np.array([ruler.mean_shares(direction, float(strength)) for strength in strengths]) * 100
    figure = Figure(figsize=(6, 4), layout="constrained", dpi=110)
    axes = figure.subplots()
    for attribute, line in zip(ruler.attributes, changes.T, strict=True):
        if attribute.name == direction.attribute:
            axes.plot(strengths, line, linewidth=2.5, color="black", label=attribute.label)
        elif np.abs(line).max() < _LEFT_OUT:
            axes.plot(strengths, line, linewidth=0.8, color="lightgrey")
        else:
            axes.plot(strengths, line, linewidth=1, label=attribute.label)
    axes.set(xlabel="strength", ylabel="change, % of the attribute's range", title=direction.name)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        # The versions of what drew it would change the bytes of an equal picture.
        figure.savefig(partial, format="png", metadata={"Software": None})
