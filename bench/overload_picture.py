"""The picture of `bench.overload`: what is answered in time over what is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw a report's goodput, with quartiles, and what became of the calls at each load."""
    loads = report["loads"]
    offered = [load["offered_over_capacity"]["median"] for load in loads.values()]
    goodput = [load["goodput_over_capacity"] for load in loads.values()]
    medians = [spread["median"] for spread in goodput]
    beyond = [
        [spread["median"] - spread["low"] for spread in goodput],
        [spread["high"] - spread["median"] for spread in goodput],
    ]
    figure = Figure(figsize=(8, 3.2), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2)
    most = max(offered)
    left.plot([0, 1, most], [0, 1, 1], color="0.75", label="all that can be done")
    left.errorbar(offered, medians, yerr=beyond, marker="o", capsize=3, label="answered in time")
    left.set(xlabel="arrivals, over capacity", ylabel="goodput, over capacity", xlim=0, ylim=(0, 1.15))
    left.legend(frameon=False, loc="lower right")
    names, below = list(loads), [0.0] * len(loads)
    for outcome in sorted({name for load in loads.values() for name in load["shares"]}):
        shares = [load["shares"].get(outcome, 0.0) for load in loads.values()]
        right.bar(names, shares, bottom=below, label=outcome.replace("_", " "))
        below = [a + b for a, b in zip(below, shares, strict=True)]
    right.set(xlabel="load, times capacity", ylabel="calls", ylim=(0, 1))
    right.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=3)
    # The versions of what drew it would change the bytes of an equal picture.
    figure.savefig(path, metadata={"Software": None})
