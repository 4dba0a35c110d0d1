"""The faults of the soak: which there are, in what order they come, and how each is caused."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from bench.soak_pool import SoakedTriton
from bench.soak_replica import SoakedService

STOPPED_SECONDS = 3.0
"""How long a worker is stopped and then goes on: too short for us to say that it hangs, while Triton, which
gives it up after a second, has begun to start another."""
SILENT_SECONDS = 40.0
"""How long a path is silent: longer than either side takes to find out."""
SLOW_SECONDS, LATE_SECONDS = 20.0, 0.5
"""For how long a Triton is slow, and how late each piece of its answers then is."""


class Fault(StrEnum):
    """What happens to one of two services, or of two Tritons."""

    SERVICE_KILLED = "service_killed"
    """SIGKILL, and another in its place."""
    ROLLING_REPLACEMENT = "rolling_replacement"
    """SIGTERM, the end waited for, and another in its place: one after the other."""
    TRITONS_REPLACED = "tritons_replaced"
    """The same of both Tritons."""
    TRITON_KILLED = "triton_killed"
    """SIGKILL to a Triton, and another in its place."""
    TRITON_SLOW = "triton_slow"
    """Answers come LATE_SECONDS late, for SLOW_SECONDS."""
    WORKER_SLOW = "worker_slow"
    """SIGSTOP to the worker that refines, for STOPPED_SECONDS."""
    WORKER_HANGS = "worker_hangs"
    """SIGSTOP to the worker that refines, for good."""
    PATH_SILENT = "path_silent"
    """A service's connections are half open: nothing comes through, and nothing is closed."""
    TRITON_PATH_SILENT = "triton_path_silent"
    """Those to a Triton are."""


HALVES: Mapping[str, tuple[Sequence[Fault], Sequence[Fault]]] = {
    "embedded": (
        (Fault.SERVICE_KILLED, Fault.ROLLING_REPLACEMENT, Fault.TRITON_KILLED),
        (Fault.TRITON_KILLED, Fault.WORKER_SLOW, Fault.WORKER_HANGS, Fault.PATH_SILENT),
    ),
    "triton": (
        (Fault.SERVICE_KILLED, Fault.ROLLING_REPLACEMENT, Fault.TRITON_KILLED, Fault.TRITONS_REPLACED),
        (
            *(Fault.TRITON_KILLED, Fault.TRITONS_REPLACED, Fault.TRITON_SLOW),
            *(Fault.PATH_SILENT, Fault.TRITON_PATH_SILENT),
        ),
    ),
    "local": ((Fault.SERVICE_KILLED, Fault.ROLLING_REPLACEMENT), (Fault.PATH_SILENT,)),
}
"""By engine, those of the first half, and those of the second, which both services live through. Those of
workers are for embedded Tritons alone: NVIDIA's, of which pools are, has none."""


@dataclass(frozen=True)
class Site:
    """What is soaked.

    Attributes:
        services: both.
        tritons: both, where they belong to no service; else none.
        refine: name of the graph that refines.
        own_tritons: whether each service has one.
    """

    services: Sequence[SoakedService]
    tritons: Sequence[SoakedTriton]
    refine: str
    own_tritons: bool

    def triton(self, which: int) -> int:
        """The process of a Triton."""
        return self.tritons[which].pid if self.tritons else self.services[which].triton()

    def worker(self, which: int) -> int:
        """The process in it that refines."""
        return (self.tritons or self.services)[which].worker(self.refine)

    def answered(self) -> list[int]:
        """How many bytes each service has answered callers with so far."""
        return [service.gate.answered_bytes for service in self.services]

    async def whole(self, which: int) -> None:
        """Wait until a service, and what belongs to it, answers."""
        if self.tritons:
            await self.tritons[which].whole()
        await self.services[which].answers()


def plan(faults: Sequence[Fault], count: int, seed: int) -> list[Fault]:
    """So many of these faults in an order left to chance, each as often as any other, or once less."""
    order, chance = list[Fault](), random.Random(seed)
    while len(order) < count:
        order += chance.sample(faults, len(faults))
    return order[:count]


async def cause(fault: Fault, site: Site, which: int) -> None:
    """Cause a fault; returns when all is whole again, and the service has answered.

    Args:
        fault: what to cause.
        site: where.
        which: of the two is to have it.
    """
    service = site.services[which]
    match fault:
        case Fault.SERVICE_KILLED:
            await service.kill()
            await service.start()
        case Fault.ROLLING_REPLACEMENT:
            for each in site.services:
                await each.terminate()
                await each.start()
        case Fault.TRITONS_REPLACED:
            for triton in site.tritons:
                await triton.replace()
        case Fault.TRITON_KILLED:
            os.kill(site.triton(which), signal.SIGKILL)
            await asyncio.sleep(1)  # what is left of it answers no more
        case Fault.TRITON_SLOW:
            site.tritons[which].gate.answer_seconds = LATE_SECONDS
            await asyncio.sleep(SLOW_SECONDS)
            site.tritons[which].gate.answer_seconds = 0.0
        case Fault.WORKER_SLOW:
            worker = site.worker(which)
            os.kill(worker, signal.SIGSTOP)
            await asyncio.sleep(STOPPED_SECONDS)
            with suppress(ProcessLookupError):  # its Triton was replaced as soon as it gave the worker up
                os.kill(worker, signal.SIGCONT)
        case Fault.WORKER_HANGS:
            os.kill(site.worker(which), signal.SIGSTOP)
        case Fault.PATH_SILENT:
            service.gate.fall_silent()
            await asyncio.sleep(SILENT_SECONDS)
            service.gate.speak_again()
            await service.answers_at_its_gate()
        case Fault.TRITON_PATH_SILENT:
            gate = site.tritons[which].gate
            gate.fall_silent()
            await asyncio.sleep(SILENT_SECONDS)
            gate.speak_again()
    await site.whole(which)
