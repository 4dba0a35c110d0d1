"""The figures of docs/editing.md, from what was measured and recorded; never from anywhere else."""

from __future__ import annotations

from scripts.figures import Report, recorded, unmeasured

_ROWS = {
    "open_loop": "along boundaries",
    "open_loop_jacobian": "along the pack's directions",
    "exact": "exact",
    "exact_two": "exact, two attributes at once",
    "floor": "*the drawing redrawn*",
}


def edits() -> str:
    """What edits come to, of codes of the hybrid and of `feature`."""
    if not (report := recorded("editing")):
        return unmeasured("python -m bench editing")
    header = (
        "Edits",
        "within 2 %",
        "of the worst factor",
        "Miss % (judge)",
        "Leak % (judge)",
        "Picture e-4",
        "of `feature` codes",
    )
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for key, text in _ROWS.items():
        row, feature = report[key], report[f"{key}_feature"]
        cells = [
            text,
            f"{row['within_2_percent']:.0%}",
            f"{row['worst_factor']:.0%}",
            f"{row['miss']:.1f} ({row['judge_miss']:.1f})",
            f"{row['leak']:.1f} ({row['judge_leak']:.1f})",
            f"{1e4 * row['truth_mse']:.1f}",
            f"{1e4 * feature['truth_mse']:.1f}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def age_and_glasses() -> str:
    """What older and younger do to glasses."""
    if not (report := recorded("editing")):
        return unmeasured("python -m bench editing")
    age: Report = report["age"]
    told = {
        "held": "held, as all else is",
        "free": "free",
        "boundary": "left to the boundary of age",
    }
    rows = ["| Glasses | move by % of their range (judge) |", "|---|---|"]
    rows += [f"| {text} | {age[key]['own']:.1f} ({age[key]['judge']:.1f}) |" for key, text in told.items()]
    return "\n".join(rows)


def local_edits() -> str:
    """What edits within a mask come to."""
    if "local" not in (report := recorded("editing")):
        return unmeasured("python -m bench editing")
    told = {"whole": "of the whole picture", "sharp": "within the mask", "feathered": "within it, softened"}
    rows = ["| Exact edits | within 2 % | Picture e-4 | of `feature` codes | Border, levels of 255 |"]
    rows.append(f"|{'---|' * 5}")
    for key, text in told.items():
        row, feature = report["local"][key], report["local_feature"][key]
        border = f"{row['border_error']:.1f}" if "border_error" in row else ""
        pictures = f"{1e4 * row['truth_mse']:.1f} | {1e4 * feature['truth_mse']:.1f}"
        rows.append(f"| {text} | {row['within_2_percent']:.0%} | {pictures} | {border} |")
    return "\n".join(rows)


def sessions() -> str:
    """How old answers of sessions are while sliders move."""
    if "session" not in (report := recorded("editing")):
        return unmeasured("python -m bench editing")
    session: Report = report["session"]
    slider = f"A slider moved {session['events_a_second']} times a second"
    header = (slider, "Answers a second", "Age of an answer, ms: median", "90 %", "99 %", "Changes dropped")
    rows = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    for key, text in (("moves", "along a direction"), ("exact", "exactly")):
        row = session[key]
        ages = " | ".join(f"{row['age_ms'][share]:.0f}" for share in ("p50", "p90", "p99"))
        rows.append(f"| {text} | {row['answers_a_second']:.0f} | {ages} | {row['dropped_share']:.0%} |")
    return "\n".join(rows)


def edit_latency() -> str:
    """What edits cost."""
    if not (report := recorded("editing")):
        return unmeasured("python -m bench editing")
    latency: Report = report["latency"]

    def told(name: str, digits: int = 1) -> str:
        row = latency[name]
        return f"{row['median']:.{digits}f} ({row['low']:.{digits}f} to {row['high']:.{digits}f})"

    return "\n".join(
        [
            "| One caller, a code at hand | |",
            "|---|---|",
            f"| an exact edit over one that only makes and reads | **{told('exact_over_round')}** |",
            f"| a plain edit over its bare graph | **{told('plain_over_synthesize', 2)}** |",
            f"| milliseconds of an exact edit | {told('exact_ms')} |",
            f"| of a plain edit | {told('plain_ms')} |",
        ]
    )
