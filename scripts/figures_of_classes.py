"""The table of what is answered of two classes under overload, from the recorded measurement."""

from __future__ import annotations

from scripts.figures import recorded, share_of, unmeasured, where_measured

PICTURE = "![Goodput of each class over load, and when interactive calls are answered](overload_classes.png)"


def overload_classes() -> str:
    """What is answered in time of each class at each load, how soon, and how soon the refused know."""
    if not (measured := recorded("overload_classes")):
        return unmeasured("python -m bench overload_classes")
    table = [
        "| Work asked for, over capacity | Answered in time, over capacity | of which bulk "
        "| Interactive answers over their deadline: half | 99 % | Refused within 50 ms | 95 % within |",
        "|---|---|---|---|---|---|---|",
    ]
    for load in measured["loads"].values():
        interactive, everybody = load["all_interactive"]["over_deadline"], load["all"]
        refused = " | "
        if "refused_promptly" in everybody:
            seconds = everybody["refusal_seconds_95th"]
            refused = f"{everybody['refused_promptly']:.1%} | {1000 * seconds:.0f} ms"
        table.append(
            f"| {load['offered_over_capacity']['median']:.2f} | {share_of(load['goodput_over_capacity'])} "
            f"| {load['bulk_share']['median']:.0%} | {interactive['p50']:.2f} | {interactive['p99']:.2f} "
            f"| {refused} |"
        )
    deadlines, edits = measured["deadline_seconds"], measured["edits_an_inversion"]
    few = ", ".join(f"{each} {part:.0%}" for each, part in measured["few_callers_over_capacity"].items())
    told = (
        f"Inversions of {measured['steps']} steps, {measured['capacity_a_second']['median']:.2f} a second at "
        f"most; one alone takes {measured['seconds_alone']:.2f} s. Interactive ones have "
        f"{deadlines['interactive']:.1f} s, edits {deadlines['plain_edit']:.1f} s, bulk inversions "
        f"{deadlines['bulk']:.0f} s. As much as an inversion are {edits['plain_edit']:.0f} plain edits, or "
        f"{edits['exact_edit']:.0f} exact ones. The quota is {measured['quota_share']:.1%} of capacity. "
        f"Callers who wait, with nobody else there, get done of it, so many at a time: {few}."
    )
    return "\n".join([told, "", *table, "", where_measured(measured["environment"]), "", PICTURE])
