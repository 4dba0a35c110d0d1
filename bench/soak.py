"""Whether anything is lost while services and their Tritons are killed, stopped, replaced and cut off.

Two services, each with an embedded Triton of its own, or, with `--engine triton`, before two Tritons that
both know; before each a gate that others know it by. Callers know both services: half of them ask the one
first, half the other. They invert, edit, hold sessions and restore, one call after the other, and each
answer is held against the one that the same call had before there were faults. Meanwhile faults come, a
minute apart, or later where it takes longer until all is whole again, in an order drawn from a seed.

Services are killed and replaced in the first half only, so what they hold at the begin of the second half and
at its end tells what they gather, whatever happens around them. It is looked at while each has the same to
do, as a service holds more with each caller that it has at a time, and callers stay where they were answered
last: they pause, and as many others have each service do every errand. Before the first time each has lost a
Triton of its own once, as it may have been started a minute ago. What is not as promised is told, and fails
the run.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from bench.graphs import Array, Graphs, targets
from bench.measurement import BenchSettings
from bench.soak_faults import HALVES, Fault, Site, cause, plan
from bench.soak_gate import Gate
from bench.soak_held import Held, Looks, watched
from bench.soak_load import TIMEOUT_SECONDS, Errand, SoakAnswer, SoakOutcomes, call_each, call_until, errands
from bench.soak_pool import SoakedTriton
from bench.soak_replica import SoakedService
from bench.soak_verdict import complaints
from bench.timing import significant
from relatent import AsyncClient
from relatent.core.graphs import graph_name
from relatent.core.pack import Pack, read_pack

SEED = 14
PICTURES, CALLERS = 4, 6
LOGS = Path("out/soak")
"""What the services said, one file for each that was started."""
SETTLING, LOOKED_AT = 3, 2
"""How often every errand is done before what is held is looked at, and while it is."""
APART_SECONDS, CALMS = 60.0, 2
"""How far faults come apart, and in how many places none comes."""


@dataclass(frozen=True)
class _Met:
    """A fault that was caused.

    Attributes:
        began: when, on the monotonic clock.
        whole: when all was whole again and the service answered.
    """

    fault: Fault
    began: float
    whole: float


class _Course:
    """What happens while the callers call.

    Args:
        site: where.
        going: cleared while callers are to pause.
        meet_each: has each service do every errand.

    Attributes:
        met: the faults so far.
        looks: what processes held at the begin and at the end of the second half.
        calm_until: when the first fault came, on the monotonic clock.
    """

    def __init__(self, site: Site, going: asyncio.Event, meet_each: Callable[[], Awaitable[None]]) -> None:
        self.met: list[_Met] = []
        self.looks: dict[str, Looks] = {}
        self.calm_until = 0.0
        self._site = site
        self._going = going
        self._meet_each = meet_each
        self._answered = site.answered()

    async def take(self, halves: tuple[Sequence[Fault], Sequence[Fault]], apart: float) -> None:
        """Cause the faults, each so many seconds after the one before; each half begins with a calm."""
        await asyncio.sleep(apart)
        self.calm_until = time.monotonic()
        await self._cause_all(halves[0], apart)
        if self._site.own_tritons:
            for which in range(len(self._site.services)):
                await self._cause(Fault.TRITON_KILLED, which)
        begin = await self._look()
        self._answered = self._site.answered()
        await asyncio.sleep(apart)
        await self._cause_all(halves[1], apart)
        end = await self._look()
        self.looks = {name: Looks(begin[name], end[name]) for name in begin}

    async def _look(self) -> dict[str, list[Held]]:
        """What processes hold while each service does the same."""
        processes = {f"service_{at}": service.pid for at, service in enumerate(self._site.services)}
        self._going.clear()
        try:
            for _ in range(SETTLING):
                await self._meet_each()
            async with watched({**processes, "clients": os.getpid()}) as looks:
                for _ in range(LOOKED_AT):
                    await self._meet_each()
        finally:
            self._going.set()
        return looks

    async def _cause_all(self, faults: Sequence[Fault], apart: float) -> None:
        for fault in faults:
            # Callers stay where they were answered last: a fault of the other would be none to them.
            before, self._answered = self._answered, self._site.answered()
            busiest = int(np.argmax(np.subtract(self._answered, before)))
            met = await self._cause(fault, busiest)
            await asyncio.sleep(max(0.0, met.began + apart - met.whole))

    async def _cause(self, fault: Fault, which: int) -> _Met:
        began = time.monotonic()
        await cause(fault, self._site, which)
        whole = time.monotonic()
        print(f"{fault}: whole after {whole - began:.1f} s", file=sys.stderr)
        self.met.append(_Met(fault, began, whole))
        return self.met[-1]


def run(settings: BenchSettings) -> dict[str, Any]:
    """Soak.

    Returns:
        `lost`, the calls without a right answer: `failed`, what was raised, and `wrong`, in what answers
        differ; `answered`, the others, by errand; `faults`, each with how often it came, the seconds until
        all was whole and the seconds of the slowest call that met it; `calm_seconds`, the median of a call by
        errand before the first fault; `held`, what processes held at the begin and at the end of the second
        half; and `complaints`, what of all that is not as promised.
    """
    return asyncio.run(_run(settings))


async def _run(settings: BenchSettings) -> dict[str, Any]:
    pack = read_pack(settings.packs / settings.pack)
    pictures = list(targets(Graphs(pack, settings.repository), PICTURES))
    halves = plan_halves(settings)
    apart = min(APART_SECONDS, settings.minutes * 60 / (len(halves[0]) + len(halves[1]) + CALMS))
    outcomes, over, going = SoakOutcomes(), asyncio.Event(), asyncio.Event()
    going.set()
    async with _site(settings, pictures[0]) as site, AsyncExitStack() as stack:
        addresses = [service.gate.address for service in site.services]
        clients = [
            await stack.enter_async_context(AsyncClient(order, timeout=TIMEOUT_SECONDS))
            for order in [addresses, addresses[::-1]] * (CALLERS // 2)
        ]
        turns = await _undisturbed(clients[0], pack, settings.repository, pictures)

        async def meet_each() -> None:
            await asyncio.gather(*(_meet(service, turns, outcomes) for service in site.services))

        course = _Course(site, going, meet_each)
        # A caller that meets what it does not expect ends them all.
        async with asyncio.TaskGroup() as callers:
            for first, client in enumerate(clients):
                of_this_one = [*turns[first:], *turns[:first]]
                callers.create_task(call_until(over, going, client, of_this_one, outcomes))
            await course.take(halves, apart)
            over.set()
    report = {
        "lost": outcomes.lost,
        "failed": outcomes.failed,
        "wrong": outcomes.wrong,
        "answered": dict(Counter(call.errand for call in outcomes.answered)),
        "faults": _by_fault(course.met, outcomes),
        "calm_seconds": _calm_seconds(outcomes, course.calm_until),
        "held": {name: looks.as_json() for name, looks in course.looks.items()},
        "order": [*halves[0], *halves[1]],
        "minutes": settings.minutes,
        "seconds_apart": significant(apart),
        "callers": CALLERS,
        "engine": settings.engine,
    }
    return report | {"complaints": complaints(report)}


async def _meet(
    service: SoakedService, turns: Sequence[tuple[Errand, SoakAnswer]], outcomes: SoakOutcomes
) -> None:
    """Have a service do every errand, for as many callers as there are."""
    async with (
        AsyncClient(service.gate.address, timeout=TIMEOUT_SECONDS) as client,
        asyncio.TaskGroup() as callers,
    ):
        for _ in range(CALLERS):
            callers.create_task(call_each(client, turns, outcomes))


def plan_halves(settings: BenchSettings) -> tuple[list[Fault], list[Fault]]:
    """The faults of both halves: one a minute, and each kind that the engine can have at least once."""
    can_be = HALVES[settings.engine]
    in_time = int((settings.minutes * 60 / APART_SECONDS - CALMS) / len(can_be))
    counts = [max(len(half), in_time) for half in can_be]
    first, second = (plan(half, count, SEED) for half, count in zip(can_be, counts, strict=True))
    return first, second


@asynccontextmanager
async def _site(settings: BenchSettings, picture: Array) -> AsyncIterator[Site]:
    """Two services behind their gates, and the Tritons that they need, ready; ended in any case."""
    where = ["--packs", str(settings.packs), "--repository", str(settings.repository)]
    # The same few pictures are sent again and again, and each is to be inverted.
    flags = [*where, "--engine", settings.engine, "--latent-cache-bytes", "0"]
    async with AsyncExitStack() as stack:

        async def gates() -> list[Gate]:
            return [await stack.enter_async_context(Gate()) for _ in range(2)]

        tritons = list[SoakedTriton]()
        if settings.engine == "triton":
            tritons = [SoakedTriton(gate, settings.repository) for gate in await gates()]
            flags += ["--triton", ",".join(triton.gate.address for triton in tritons)]
        services = list[SoakedService]()
        for name, gate in zip(("service_0", "service_1"), await gates(), strict=True):
            folder = LOGS / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            services.append(SoakedService(gate, flags, folder, picture))
        for stop in (*(triton.stop for triton in tritons), *(service.stop for service in services)):
            stack.push_async_callback(stop)
        await asyncio.gather(*(triton.start() for triton in tritons))
        await asyncio.gather(*(service.start() for service in services))
        own_tritons = settings.engine == "embedded"
        yield Site(services, tritons, graph_name(settings.pack, "refine"), own_tritons)


async def _undisturbed(
    client: AsyncClient, pack: Pack, repository: Path, pictures: Sequence[Array]
) -> list[tuple[Errand, SoakAnswer]]:
    """Every errand with its answer when nothing else happens."""
    graphs = {folder.name for folder in repository.iterdir()}
    return [(each, await each.do(client)) for each in await errands(client, pack, graphs, pictures)]


def _by_fault(met: Sequence[_Met], outcomes: SoakOutcomes) -> dict[str, Any]:
    """What each fault came to, over all the times that it was caused."""
    report = {}
    for fault in dict.fromkeys(one.fault for one in met):
        times = [one for one in met if one.fault is fault]
        whole = [one.whole - one.began for one in times]
        report[str(fault)] = {
            "times": len(times),
            "seconds_until_whole": significant(median(whole)),
            "seconds_until_whole_most": significant(max(whole)),
            "slowest_call_seconds": significant(max(outcomes.slowest(one.began, one.whole) for one in times)),
        }
    return report


def _calm_seconds(outcomes: SoakOutcomes, until: float) -> Mapping[str, float]:
    """Median seconds of a call by errand, of those that ended before a moment."""
    taken: dict[str, list[float]] = {}
    for call in outcomes.answered:
        if call.ended < until:
            taken.setdefault(call.errand, []).append(call.ended - call.began)
    return {errand: significant(median(seconds)) for errand, seconds in taken.items()}
