"""The README's figures, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.measurement import NAMES

ROOT = Path(__file__).parent.parent
BENCH = ROOT / "docs" / "bench.json"
QUALITY = ROOT / "packs" / "demo" / "report.json"

Report = dict[str, Any]

ELSEWHERE = {
    "methods": ("what every method of inverting makes of held-out drawings", "methods.md"),
    "domain": ("how well the in-domain score tells drawings from other images", "methods.md"),
    "editing": ("how near edits come to drawings redrawn, and their latency", "editing.md"),
    "directions": ("what directions of every finder come to", "directions.md"),
    "uses": ("what restorations come to, diffusions, what a GAN misses, and coordinates", "uses.md"),
    "texts": ("how many drawings move as texts say, and what moves besides", "text.md"),
    "autoscale": ("what to scale replicas on, simulated from what others measured", "scale.md"),
    "soak": ("what is lost while services and Tritons are killed, and what they gather", "when-it-breaks.md"),
}
"""Measurements whose figures stand on other pages than bench.md: what each asks, and the page."""

STEP_BAR = 1.3
"""What a step is meant to be faster by."""


def recorded(name: str = "") -> Report:
    """What a measurement found, or by name what all did; empty where nothing is recorded."""
    found: Report = json.loads(BENCH.read_text()) if BENCH.exists() else {}
    return found.get(name, {}) if name else found


def unmeasured(command: str) -> str:
    """What stands in place of figures that a command measures."""
    return f"Not measured yet: `{command}` measures, `make record` writes the figures here."


def numbers() -> str:
    """The table of the measurements that belong together."""
    if not (measured := recorded()).keys() >= set(NAMES):
        return unmeasured("make bench")
    step, batching, start = measured["step"], measured["batching"], measured["start"]
    one, eight = step["batch_1"], step["batch_8"]
    graph_gain = batching["graph_gain_8_over_1_spread"]
    rows = {
        "A refinement step at batch 8, ONNX Runtime over frozen PyTorch": _against_bar(eight["speedup"]),
        "The same at batch 8, the networks as published": _times(eight["published_speedup"]),
        "The same at batch 8, over wasteful PyTorch": _times(eight["wasteful_speedup"]),
        "The same at batch 1, over frozen PyTorch": _times(one["speedup"]),
        "Arithmetic of a step at batch 8, over that of a square matrix product": _shares(eight),
        "Steps a second through client, service and Triton, of the graph's own": _efficiency(measured),
        "Inversions a second with 8 callers over 1": _times(batching["gain_8_over_1_spread"]),
        "of which the graph alone, batch 8 over 1": _times(graph_gain),
        "Steps from the mean latent for the quality of 30 from the encoder's code": _ratio(start),
        "Steps along the code's own numbers for the quality of 10 of ours": _coordinates(measured),
        "Largest difference that batch mates make in 100 steps": _difference(measured["invariance"]),
    }
    table = ["| | |", "|---|---|", *(f"| {text} | {figure} |" for text, figure in rows.items())]
    return "\n".join([*table, "", where_measured(step["environment"])])


def benches() -> str:
    """The table of the measurements whose figures stand on other pages than their own."""
    rows = ["| `python -m bench` | Asks | Figures | Takes |", "|---|---|---|---|"]
    for name, (asks, page) in ELSEWHERE.items():
        seconds = recorded(name).get("seconds")
        taken = "not recorded" if seconds is None else _taken(seconds)
        rows.append(f"| `{name}` | {asks} | [{page}]({page}) | {taken} |")
    return "\n".join(rows)


def _taken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def quality() -> str:
    """The table of the demo pack's own report."""
    if not QUALITY.exists():
        return "Not measured yet: `relatent-export demo report` measures."
    report: Report = json.loads(QUALITY.read_text())
    names = {
        "encoder": "encoder only",
        "hybrid_100": "hybrid: encoder, then 100 steps",
        "mean_100": "from the mean latent, 100 steps",
        "mean_1000": "from the mean latent, 1,000 steps",
    }
    rows = ["| 64 held-out drawings | MSE | Perceptual distance |", "|---|---|---|"]
    for key, text in names.items():
        mse, perceptual = (report[figure][key] for figure in ("mse", "perceptual"))
        rows.append(f"| {text} | {mse:.5f} | {perceptual:.4f} |")
    return "\n".join(rows)


def fullsize() -> str:
    """The table of a pack of a published size."""
    if not (measured := recorded("fullsize")):
        return unmeasured("make bench-fullsize")
    seconds, parameters, served = measured["seconds_batch_1"], measured["parameters"], measured["served"]
    side, size = measured["resolution"], measured["checkpoint_gib"]
    graphs = sum(measured["graph_mib"].values())
    largest = max(measured["graph_mib"], key=measured["graph_mib"].__getitem__)
    rows = {
        f"Import of a checkpoint of {size:.2f} GiB": _command(measured["import"])
        + f", {measured['import_peak_ratio']:.2f} times its size",
        "Export of all graphs": _command(measured["export"]),
        "Graphs": f"{graphs:,.0f} MiB in all; the largest, `{largest}`, "
        f"{measured['graph_mib'][largest]:,.0f} MiB",
        "A synthesis": _seconds(seconds["synthesis"]),
        "An encoder pass": _seconds(seconds["encoder"]),
        "A refinement step": _seconds(seconds["step"]),
        "The same step in eager PyTorch": _seconds(seconds["pytorch"]),
        "ONNX Runtime over eager PyTorch": _times(measured["speedup_spread"]),
        "The same, the synthesis as published": _times(measured["published_speedup_spread"]),
        f"An inversion of {served['steps']} steps, served by Triton": f"**{served['invert_seconds']:.0f} s**",
    }
    table = ["| | |", "|---|---|", *(f"| {text} | {figure} |" for text, figure in rows.items())]
    told = (
        f"StyleGAN2 of {side} × {side} pixels ({parameters['generator'] / 1e6:.1f} M numbers), e4e's encoder "
        f"({parameters['encoder'] / 1e6:.1f} M), LPIPS over VGG16 at {measured['compare_side']} pixels; "
        "random weights; batch 1."
    )
    return "\n".join([told, "", *table, "", where_measured(measured["environment"])])


def overload() -> str:
    """The table of what a service answers in time beyond its capacity."""
    if not (measured := recorded("overload")):
        return unmeasured("python -m bench overload")
    table = [
        "| Arrivals, over capacity | Answered in time, over capacity | Refused | of them within 50 ms |",
        "|---|---|---|---|",
    ]
    for load in measured["loads"].values():
        offered, goodput = load["offered_over_capacity"], load["goodput_over_capacity"]
        prompt = f"{load['refused_promptly']:.1%}" if "refused_promptly" in load else ""
        refused = f"{load['shares'].get('refused', 0.0):.0%}"
        table.append(f"| {offered['median']:.2f} | {share_of(goodput)} | {refused} | {prompt} |")
    told = (
        f"Inversions of {measured['steps']} steps; a call alone takes {measured['seconds_alone']:.2f} s, its "
        f"deadline is {measured['deadline_seconds']:.2f} s; capacity is "
        f"{measured['capacity_a_second']['median']:.2f} a second."
    )
    return "\n".join([told, "", *table, "", where_measured(measured["environment"])])


def seconds_to_quality() -> str:
    """The table of what it takes to be as near as ours, in seconds."""
    if not (measured := recorded("quality")):
        return unmeasured("python -m bench quality")
    ours, goal, levels = measured["ours"], measured["goal"], ("one", "eight")
    table = [
        "| Seconds an image, over ours | One caller | Eight callers |",
        "|---|---|---|",
        f"| `{ours['method']}`, {ours['steps']} steps, served | "
        + " | ".join(_seconds(ours["seconds_an_image"][at]) for at in levels)
        + " |",
    ]
    for peer, text in {"idinvert_style": "idinvert", "image2stylegan_style": "Image2StyleGAN"}.items():
        speedups, won = measured[f"speedup_over_{peer}"], measured[peer]
        cells = [
            f"{'at least ' if speedups[at]['censored'] else ''}{_times(speedups[at])}, "
            f"{won[at]['steps']:,} steps, {won[at]['won']} settings"
            for at in levels
        ]
        table.append(f"| As {text} does, eager PyTorch | {' | '.join(cells)} |")
    told = (
        f"Until a mean perceptual distance of {goal['one']:.4f} over {measured['images']['one']} drawings, "
        f"or of {goal['eight']:.4f} over {measured['images']['eight']}."
    )
    return "\n".join([told, "", *table, "", where_measured(measured["environment"])])


def share_of(spread: Report) -> str:
    """A median as a share, with its quartiles."""
    return f"**{spread['median']:.0%}** ({spread['low']:.0%} to {spread['high']:.0%})"


def _command(figures: Report) -> str:
    return f"**{figures['seconds']:.0f} s**, {figures['peak_gib']:.1f} GiB at its peak"


def _seconds(spread: Report) -> str:
    return f"**{spread['median']:.2f} s** ({spread['low']:.2f} to {spread['high']:.2f})"


def _times(spread: Report) -> str:
    return f"**{_factor(spread['median'])}×** ({_factor(spread['low'])} to {_factor(spread['high'])})"


def _factor(value: float) -> str:
    """Three digits of it, but for hundreds."""
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f}"


def _against_bar(spread: Report) -> str:
    return _times(spread) + (f"; short of its bar of {STEP_BAR}" if spread["median"] < STEP_BAR else "")


def _efficiency(measured: Report) -> str:
    return share_of(measured["overhead"]["efficiency_spread"])


def _shares(batch: Report) -> str:
    shares = batch["share_of_machine"]
    return f"**{shares['onnxruntime']['median']:.0%}**; PyTorch {shares['pytorch']['median']:.0%}"


def _ratio(start: Report) -> str:
    at_least = "at least " if start["censored"] else ""
    return f"**{at_least}{start['step_ratio']:.3g}×** as many ({start['mean_steps']})"


def _coordinates(measured: Report) -> str:
    coordinates = measured["coordinates"]
    at_least = "at least " if coordinates["censored"] else ""
    return f"**{at_least}{coordinates['step_gain']:.3g}×** as many ({coordinates['plain_steps']})"


def _difference(invariance: Report) -> str:
    difference = invariance["max_relative_difference"]
    return "**none**" if difference == 0 else f"**{difference:.1e}** of its largest value"


def where_measured(environment: Report) -> str:
    """On what figures were measured."""
    versions = ", ".join(f"{name} {version}" for name, version in environment["versions"].items() if version)
    return (
        f"Medians, with quartiles in brackets, taken by turns in one run: {environment['cores']} cores of "
        f"{environment['cpu']}, {environment['system']}, no GPU, Python {environment['python']}, {versions}."
    )
