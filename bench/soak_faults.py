"""The faults of the soak: which there are, in what order they come, and how each is caused."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Sequence
from enum import StrEnum

from bench.soak_replica import SoakedService

SLOW_SECONDS = 3.0
"""How long a worker is stopped and then goes on: too short for us to say that it hangs, while Triton, which
gives it up after a second, has begun to start another."""
SILENT_SECONDS = 40.0
"""How long a path is silent: longer than clients take to find out."""


class Fault(StrEnum):
    """What happens to one of two services."""

    SERVICE_KILLED = "service_killed"
    """SIGKILL, and another in its place."""
    ROLLING_REPLACEMENT = "rolling_replacement"
    """SIGTERM, the end waited for, and another in its place: one after the other."""
    TRITON_KILLED = "triton_killed"
    """SIGKILL to its Triton."""
    WORKER_SLOW = "worker_slow"
    """SIGSTOP to the worker that refines, for SLOW_SECONDS."""
    WORKER_HANGS = "worker_hangs"
    """SIGSTOP to the worker that refines, for good."""
    PATH_SILENT = "path_silent"
    """Its connections are half open: nothing comes through, and nothing is closed, for SILENT_SECONDS."""


REPLACING = (Fault.SERVICE_KILLED, Fault.ROLLING_REPLACEMENT, Fault.TRITON_KILLED)
"""Of the first half."""
SPARING = (Fault.TRITON_KILLED, Fault.WORKER_SLOW, Fault.WORKER_HANGS, Fault.PATH_SILENT)
"""Of the second, which both services live through."""
NEED_TRITON = {Fault.TRITON_KILLED, Fault.WORKER_SLOW, Fault.WORKER_HANGS}


def plan(faults: Sequence[Fault], count: int, seed: int) -> list[Fault]:
    """So many of these faults in an order left to chance, each as often as any other, or once less."""
    order, chance = list[Fault](), random.Random(seed)
    while len(order) < count:
        order += chance.sample(faults, len(faults))
    return order[:count]


async def cause(fault: Fault, replicas: Sequence[SoakedService], which: int, refine: str) -> None:
    """Cause a fault; returns when all is whole again, and the service has answered.

    Args:
        fault: what to cause.
        replicas: all of them.
        which: is to have it.
        refine: name of the graph that refines.
    """
    replica = replicas[which]
    match fault:
        case Fault.SERVICE_KILLED:
            await replica.kill()
            await replica.start()
        case Fault.ROLLING_REPLACEMENT:
            for each in replicas:
                await each.terminate()
                await each.start()
        case Fault.TRITON_KILLED:
            os.kill(replica.triton(), signal.SIGKILL)
        case Fault.WORKER_SLOW:
            worker = replica.worker(refine)
            os.kill(worker, signal.SIGSTOP)
            await asyncio.sleep(SLOW_SECONDS)
            os.kill(worker, signal.SIGCONT)
        case Fault.WORKER_HANGS:
            os.kill(replica.worker(refine), signal.SIGSTOP)
        case Fault.PATH_SILENT:
            replica.gate.fall_silent()
            await asyncio.sleep(SILENT_SECONDS)
            replica.gate.speak_again()
            await replica.answers_at_its_gate()
    await replica.answers()
