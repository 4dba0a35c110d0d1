"""The figures of docs/directions.md, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

from scripts.figures import recorded, unmeasured


def finders() -> str:
    """What each finder's directions come to."""
    if not (report := recorded("directions")):
        return unmeasured("python -m bench directions")
    rows = ["| Finder | Correlation | Gain (judge) | Leak % (judge) | Seconds |", "|---|---|---|---|---|"]
    for name, row in report["finders"].items():
        cells = [
            f"`{name}`",
            f"{row['correlation']:.2f}",
            f"{row['gain']:.2f} ({row['judge_gain']:.2f})",
            f"{row['leak']:.1f} ({row['judge_leak']:.1f})",
            f"{row['seconds']:.0f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)
