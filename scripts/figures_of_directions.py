"""The figures of docs/directions.md, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

from scripts.figures import Report, recorded, unmeasured


def texts() -> str:
    """What edits by texts come to."""
    if not (report := recorded("texts")):
        return unmeasured("python -m bench texts")
    named = {"global": "global direction", "optimise": "refinement towards a text", "mapper": "mapper"}
    head = "| Way | Right % (judge) | With room % (judge) | Change % (judge) | Leak % (judge) | Seconds |"
    rows = [head, "|---|---|---|---|---|---|"]
    for way, row in report["ways"].items():
        cells = [
            named[way],
            f"{100 * row['right_of_all']:.1f} ({100 * row['judge_right_of_all']:.1f})",
            f"{100 * row['right']:.1f} ({100 * row['judge_right']:.1f})",
            f"{row['change']:.0f} ({row['judge_change']:.0f})",
            f"{row['leak']:.1f} ({row['judge_leak']:.1f})",
            f"{row['seconds']:.2g}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def walks() -> str:
    """How far walks go."""
    if not (report := recorded("walks")):
        return unmeasured("python -m bench walks")
    rows = [
        "| Of the reach | Error, linear | non-linear | Went, linear | non-linear |",
        "|---|---|---|---|---|",
    ]
    kinds = ("linear", "non_linear")
    for share in report["mean"]["linear"]["error"]:
        cells = [f"{float(share):g}"]
        for what in ("error", "went"):
            cells += [f"{report['mean'][kind][what][share]:.2f}" for kind in kinds]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def finders() -> str:
    """What each finder's directions come to."""
    if not (report := recorded("directions")):
        return unmeasured("python -m bench directions")
    rows = ["| Finder | Correlation | Gain (judge) | Leak % (judge) | Seconds |", "|---|---|---|---|---|"]
    for name, row in found_by(report).items():
        cells = [
            f"`{name}`",
            f"{row['correlation']:.2f}",
            f"{row['gain']:.2f} ({row['judge_gain']:.2f})",
            f"{row['leak']:.1f} ({row['judge_leak']:.1f})",
            f"{row['seconds']:.0f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def found_by(report: Report) -> Report:
    """The finders' figures, among all else that a measurement tells."""
    return {name: row for name, row in report.items() if isinstance(row, dict) and "correlation" in row}
