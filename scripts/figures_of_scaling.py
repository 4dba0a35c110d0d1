"""The table of what replicas are scaled on, from the recorded simulation."""

from __future__ import annotations

from scripts.figures import recorded, unmeasured

NAMES = {
    "backlog": "`relatent_backlog_seconds`",
    "processor": "the engine's busy share",
    "queue": "calls at work and waiting",
    "fixed": "none: always as many",
}


def autoscale() -> str:
    """What each signal comes to, on the usual days and on those of longer calls."""
    if not (measured := recorded("autoscale")):
        return unmeasured("python -m bench autoscale")
    goal, replica = measured["goal"], measured["replica"]
    table = [
        "| Scaled on | Target a replica | In the goal | 95 % wait | 99 % wait | Replicas | GPU-seconds a day "
        f"| Calls {measured['times_longer']} × as long: in the goal | GPU-seconds a day |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for signal, figures in measured["signals"].items():
        usual, longer = figures["usual"], figures["longer"]
        table.append(
            f"| {NAMES[signal]} | {_target(signal, figures['target'])} | {usual['in_goal']:.1%} "
            f"| {usual['wait_seconds']['95']:.1f} s | {usual['wait_seconds']['99']:.0f} s "
            f"| {usual['mean_replicas']:.1f}, at most {usual['most_replicas']} | {usual['gpu_seconds']:,} "
            f"| {longer['in_goal']:.1%} | {longer['gpu_seconds']:,} |"
        )
    told = (
        f"{measured['calls_a_day']:,} calls a day, {measured['days']} days. The goal: at least "
        f"{goal['share']:.0%} of calls take at most {goal['wait_seconds']:.0f} s longer than alone. A "
        f"replica takes {replica['start_seconds']:.0f} s to start, does a step in "
        f"{replica['seconds_a_step_alone'] * 1000:.0f} ms, and {replica['speed_of_8']:.2f} × as much of "
        "eight calls at a time: measured on two cores, without a GPU."
    )
    return "\n".join([told, "", *table])


def _target(signal: str, target: float) -> str:
    shown = {"backlog": f"{target:g} s", "processor": f"{target:.0%}", "queue": f"{target:g} calls"}
    return shown.get(signal, f"{target:g} replicas")
