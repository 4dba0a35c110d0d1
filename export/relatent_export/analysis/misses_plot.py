"""A plot of what a generator misses: where real images lie and where its own do, attribute by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from relatent_export.analysis.misses import ComparedAttribute, Misses
from relatent_export.writing import whole_file

_MOST, _COLUMNS = 24, 4
_WIDTH, _HEIGHT = 2.6, 1.9
_REAL, _GENERATED, _MISSED = "0.75", "tab:blue", "tab:red"
_LEGEND = (
    Patch(color=_REAL, label="real images"),
    Line2D([], [], color=_GENERATED, label="generated"),
    Patch(color=_MISSED, alpha=0.15, label="left out"),
)


def save_plot(misses: Misses, path: Path) -> None:
    """Draw shares of images over values; of many attributes the 24 of which most is left out.

    Raises:
        OSError: it cannot be written; names the file.
    """
    drawn = misses.ordered[:_MOST]
    rows = -(-len(drawn) // _COLUMNS)
    size = (_COLUMNS * _WIDTH, rows * _HEIGHT + 0.5)
    figure = Figure(figsize=size, layout="constrained", dpi=100)
    panels: Sequence[Axes] = list(np.ravel(figure.subplots(rows, _COLUMNS, squeeze=False)))
    for axes, compared in zip(panels, drawn, strict=False):
        _draw(axes, compared)
    for axes in panels[len(drawn) :]:
        axes.set_axis_off()
    figure.legend(handles=_LEGEND, loc="outside lower center", ncols=len(_LEGEND), fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as partial:
        # The versions of what drew it would change the bytes of an equal picture.
        figure.savefig(partial, format="png", metadata={"Software": None})


def _draw(axes: Axes, compared: ComparedAttribute) -> None:
    """Both histograms, what is left out marked, and what is missed named in red."""
    bars = compared.histogram
    axes.stairs(100 * np.array(bars.real), bars.edges, fill=True, color=_REAL)
    axes.stairs(100 * np.array(bars.generated), bars.edges, color=_GENERATED, linewidth=1.5)
    for low, high in compared.gaps:
        axes.axvspan(low, high, color=_MISSED, alpha=0.15, linewidth=0)
    axes.set_title(
        f"{compared.name}: {100 * compared.left_out:.0f} % left out",
        fontsize=9,
        color=_MISSED if compared.missed else "black",
        fontweight="bold" if compared.missed else "normal",
    )
    axes.tick_params(labelsize=7)
    axes.set_ylabel("% of images", fontsize=7)
