"""The figures of semantic diffusion, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

from scripts.figures import Report, recorded, unmeasured

_ROWS = {
    "stitched": "only stitched",
    "answer": "diffused",
    "blended": "blended",
}


def diffusion() -> str:
    """What faces put into other drawings come to."""
    if not (report := _report()):
        return unmeasured("python -m bench uses")
    header = (
        "",
        "Inside, % from the target (judge)",
        "% from the context",
        "Outside, % from the target",
        "% from the context (judge)",
        "Region e-4",
        "Rest e-4",
        "Border, levels of 255",
    )
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for key, text in _ROWS.items():
        row = report[key]
        inside, outside = row["inside"], row["outside"]
        cells = [
            text,
            f"{inside['to_target']:.1f} ({inside['judge_to_target']:.1f})",
            f"{inside['to_context']:.1f}",
            f"{outside['to_target']:.1f}",
            f"{outside['to_context']:.1f} ({outside['judge_to_context']:.1f})",
            f"{1e4 * row['region_mse']:.0f}",
            f"{1e4 * row['context_mse']:.0f}",
            f"{row['border_error']:.1f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def diffused_factors() -> str:
    """The same of each factor of the answer."""
    if not (report := _report()):
        return unmeasured("python -m bench uses")
    rows = ["| Factor | lies | % from the target (judge) | % from the context (judge) |", "|---|---|---|---|"]
    for name, row in report["answer"]["factors"].items():
        ends = [f"{row[f'to_{end}']:.1f} ({row[f'judge_to_{end}']:.1f})" for end in ("target", "context")]
        rows.append(f"| {name.replace('_', ' ')} | {report['sides'][name]} | {' | '.join(ends)} |")
    return "\n".join(rows)


def diffusion_choices() -> str:
    """By anchor and steps, on drawings for choices."""
    if not (report := _report()):
        return unmeasured("python -m bench uses")
    steps = sorted({each["steps"] for each in report["sweep"]})
    anchors = sorted({each["anchor"] for each in report["sweep"]})
    found = {(each["anchor"], each["steps"]): each for each in report["sweep"]}
    rows = [
        f"| Anchor | {' | '.join(f'{count} steps' for count in steps)} |",
        f"|{'---|' * (len(steps) + 1)}",
    ]
    for anchor in anchors:
        cells = [
            f"{found[anchor, count]['distance']:.2f} ({found[anchor, count]['judge_distance']:.2f})"
            for count in steps
        ]
        rows.append(f"| {anchor:g} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _report() -> Report:
    report: Report = recorded("uses").get("diffusion", {})
    return report
