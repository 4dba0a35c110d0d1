"""Within what time each fault of the soak is to be over, what else is promised, and whether it was kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.soak_faults import Fault

MOST_GROWTH = 0.02
"""Of a service's resident memory over the second half."""
MORE_DESCRIPTORS = 2
"""That a service may have at the end of it: some come and go, such as those of a probe."""


@dataclass(frozen=True)
class FaultLimits:
    """Seconds at most.

    Attributes:
        whole: until all is whole again.
        call: that a call which meets the fault takes from it on.
    """

    whole: float
    call: float


WITHIN: Mapping[Fault, FaultLimits] = {
    # Found out at once; calls go on at the other service, which then has all of them.
    Fault.SERVICE_KILLED: FaultLimits(60, 30),
    # Calls under way are finished; each takes some seconds to end, and a Triton to start.
    Fault.ROLLING_REPLACEMENT: FaultLimits(150, 30),
    Fault.TRITONS_REPLACED: FaultLimits(150, 30),
    # A service repeats calls for twenty seconds, then its callers go to the other one.
    Fault.TRITON_KILLED: FaultLimits(60, 50),
    # After six to eight seconds it is said to hang, and Triton is replaced.
    Fault.WORKER_HANGS: FaultLimits(75, 60),
    Fault.WORKER_SLOW: FaultLimits(75, 60),
    # Forty seconds of silence, of which callers find out after thirty, and a service after eleven.
    Fault.PATH_SILENT: FaultLimits(60, 60),
    Fault.TRITON_PATH_SILENT: FaultLimits(60, 45),
    # Twenty seconds of it.
    Fault.TRITON_SLOW: FaultLimits(30, 50),
}
"""Of the demo pack on two cores that nothing else uses, where a Triton takes half a minute to start."""


def complaints(report: Mapping[str, Any]) -> list[str]:
    """What of a soak's report is not as promised."""
    found = [f"{report['lost']} calls were lost"] if report["lost"] else []
    for name, figures in report["faults"].items():
        within = WITHIN[Fault(name)]
        for what, seconds, most in (
            ("all was whole", figures["seconds_until_whole_most"], within.whole),
            ("the slowest call was answered", figures["slowest_call_seconds"], within.call),
        ):
            if seconds > most:
                found.append(f"{name}: {what} after {seconds:.0f} s, expected {most:.0f} s at most")
    for name, figures in report["held"].items():
        if not name.startswith("service"):
            continue  # the callers' process has the gates, and keeps every outcome
        if figures["resident_growth"] >= MOST_GROWTH:
            found.append(f"{name}: resident memory grew by {figures['resident_growth']:.1%}")
        begin, end = figures["descriptors"]
        if end > begin + MORE_DESCRIPTORS:
            found.append(f"{name}: {begin} descriptors became {end}")
    return found
