"""The picture of `bench.overload_classes`: what is answered in time of each class, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw a report's goodput by class, and how long interactive calls took, at each load."""
    loads = report["loads"]
    names = list(loads)
    goodput = [load["goodput_over_capacity"]["median"] for load in loads.values()]
    bulk = [load["goodput_over_capacity"]["median"] * load["bulk_share"]["median"] for load in loads.values()]
    interactive = [all_of_it - part for all_of_it, part in zip(goodput, bulk, strict=True)]
    figure = Figure(figsize=(8, 3.2), layout="constrained", dpi=110)
    left, right = figure.subplots(1, 2)
    left.bar(names, interactive, label="interactive")
    left.bar(names, bulk, bottom=interactive, label="bulk")
    left.axhline(0.9, color="0.5", linestyle=":", label="goal")
    left.set(
        xlabel="work asked for, times capacity", ylabel="answered in time, over capacity", ylim=(0, 1.25)
    )
    left.legend(frameon=False, loc="upper center", ncols=3)
    for share, marker in (("p50", "o"), ("p99", "^")):
        right.plot(
            names,
            [load["all_interactive"]["over_deadline"][share] for load in loads.values()],
            marker=marker,
            label=f"{share[1:]} % of interactive answers",
        )
    right.axhline(1.0, color="0.5", linestyle=":", label="deadline")
    right.set(xlabel="work asked for, times capacity", ylabel="seconds, over the deadline", ylim=(0, 1.3))
    right.legend(frameon=False, loc="upper left")
    # The versions of what drew it would change the bytes of an equal picture.
    figure.savefig(path, metadata={"Software": None})
