"""The figures of what generators miss, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

from scripts.figures import Report, recorded, unmeasured

_ROWS = {
    "": "the generator without glasses",
    "control_": "the demo's generator, as a control",
    "redrawn_": "*other drawings, the glasses taken off*",
}
_LEFT_OUT = "glasses"


def misses() -> str:
    """What was left out and what else, as the pack's attribute network reads it and as the judge does."""
    report: Report = recorded("uses").get("misses", {})
    if not report:
        return unmeasured("python -m bench uses")
    header = ("", f"Left out of {_LEFT_OUT}", "by redrawing", "The most of another factor", "Named")
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for key, text in _ROWS.items():
        kinds = [kind for kind in (key, f"{key}judge_") if f"{kind}factors" in report]
        factors = [
            {name: 100 * one["left_out"] for name, one in report[f"{kind}factors"].items()} for kind in kinds
        ]
        most = [max((share, name) for name, share in each.items() if name != _LEFT_OUT) for each in factors]
        cells = [
            text,
            _with_judge([f"{each[_LEFT_OUT]:.0f} %" for each in factors]),
            _redrawn(report.get(f"{key}truth_factors")),
            _with_judge([f"{share:.0f} % of {name}" if share else "none" for share, name in most]),
            _with_judge([", ".join(report[f"{kind}missed"]) or "nothing" for kind in kinds]),
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _redrawn(factors: Report | None) -> str:
    return f"{100 * factors[_LEFT_OUT]['left_out']:.0f} %" if factors else ""


def _with_judge(cells: list[str]) -> str:
    first, *rest = cells
    return f"{first} ({rest[0]})" if rest else first
