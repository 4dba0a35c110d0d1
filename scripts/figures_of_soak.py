"""The tables of what services come to in faults, from the recorded soak."""

from __future__ import annotations

from bench.soak_faults import Fault
from bench.soak_verdict import WITHIN
from scripts.figures import recorded, unmeasured

FAULTS = {
    "service_killed": "a service is killed, and another started in its place",
    "rolling_replacement": "both services are replaced, one after the other",
    "tritons_replaced": "both Tritons are replaced, one after the other",
    "triton_killed": "a Triton is killed",
    "triton_slow": "a Triton's answers come half a second late, for twenty seconds",
    "worker_slow": "a Triton's worker is stopped for three seconds",
    "worker_hangs": "a Triton's worker is stopped for good",
    "path_silent": "the way to a service falls silent for forty seconds, its connections half open",
    "triton_path_silent": "the way to a Triton does",
}
HOLDERS = {"service_0": "one service", "service_1": "the other", "clients": "the clients"}


def soak() -> str:
    """What each fault came to, what was lost, and what processes held."""
    if not (measured := recorded("soak")):
        return unmeasured("python -m bench soak")
    answered = sum(measured["answered"].values())
    total = answered + measured["lost"]
    calm = ", ".join(f"{errand} {seconds:.2g} s" for errand, seconds in measured["calm_seconds"].items())
    told = (
        f"{measured['minutes']:g} minutes, {len(measured['order'])} faults, {measured['callers']} callers at "
        f"a time: {measured['lost']} of {total:,} calls lost. A call in calm: {calm}."
    )
    faults = [
        "| Fault | Times | All whole after | at most | promised | Slowest call that met it | promised |",
        "|---|---|---|---|---|---|---|",
    ]
    for fault, figures in measured["faults"].items():
        within = WITHIN[Fault(fault)]
        faults.append(
            f"| {FAULTS[fault]} | {figures['times']} | {figures['seconds_until_whole']:.0f} s "
            f"| {figures['seconds_until_whole_most']:.0f} s | {within.whole:.0f} s "
            f"| {figures['slowest_call_seconds']:.0f} s | {within.call:.0f} s |"
        )
    held = ["| In the second half | Resident memory | Descriptors |", "|---|---|---|"]
    for name, figures in measured["held"].items():
        (before, after), (first, last) = figures["resident_mib"], figures["descriptors"]
        held.append(
            f"| {HOLDERS[name]} | {before:.0f} to {after:.0f} MiB ({figures['resident_growth']:+.1%}) "
            f"| {first} to {last} |"
        )
    broken = [f"Not as promised: {'; '.join(measured['complaints'])}.", ""] if measured["complaints"] else []
    return "\n".join([told, "", *broken, *faults, "", *held])
