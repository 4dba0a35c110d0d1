"""What a service answers in time when more is asked of it than it can do.

The load is open: when calls arrive is drawn beforehand, and they do so whether or not those before them
have been answered, as the callers of a public service do. A call's time counts from when it was to arrive.
Its deadline is four times what a call takes alone. *Goodput* is what was answered in time, a second, over
*capacity*, which is what callers who wait for their answers get done when there are as many of them as
serve it best, measured in every round before and after the loads.

Both are counted within a window, with a lead before it, so that neither an empty start nor a late end counts.
Goodput is the answers that came in it. Callers who wait are answered in bursts, for their refinements run in
lockstep: sixteen at once, every five seconds or so. How many bursts fall into a window is chance, and the
best of several such counts is too high by up to half. So capacity adds up the share of each call's time
that lies in the window.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import grpc
import numpy as np

from bench.graphs import Array, Graphs, targets
from bench.measurement import BenchSettings
from bench.serving import invert_all, served
from bench.timing import significant, spread
from relatent import AsyncClient
from relatent.client.channels import open_async_channel
from relatent.client.settings import DEFAULT_MAX_MESSAGE_BYTES
from relatent.core.pack import read_pack
from relatent.v1 import inversion_pb2, inversion_pb2_grpc, types_pb2
from relatent_service.settings import read_settings

LOADS = (0.5, 1.0, 2.0, 5.0)
"""Arrivals a second, over capacity."""
DEADLINE = 4.0
"""Seconds that a call may take, over those it takes alone."""
CALLERS = (8, 16)
"""How many callers at a time capacity is sought with."""
ROUNDS, SECONDS, STEPS = 3, 20.0, 50
"""Of the measurement; seconds are those of one window."""
LEAD = 2.0
"""What passes before a window, in deadlines."""
SEED = 7
PROMPT_SECONDS = 0.05
"""How soon a call that is refused should know."""


@dataclass
class Outcomes:
    """What became of the calls at one load.

    Attributes:
        offered, goodputs: arrivals and answers in time, a second, over capacity; one a round.
        counts: calls that came in a window by how they ended: in_time, refused, late, or a gRPC code.
        refusals: seconds until a refused call knew.
        answers: seconds until an answered call had its answer.
    """

    offered: list[float] = field(default_factory=list)
    goodputs: list[float] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """The same, for a report."""
        total = self.counts.total()
        prompt = sum(seconds <= PROMPT_SECONDS for seconds in self.refusals)
        report: dict[str, Any] = {
            "offered_over_capacity": spread(self.offered).as_json(),
            "goodput_over_capacity": spread(self.goodputs).as_json(),
            "calls": total,
            "shares": {name: significant(count / total) for name, count in sorted(self.counts.items())},
        }
        if self.answers:
            report["answer_seconds"] = spread(self.answers).as_json()
        if self.refusals:
            report["refusal_seconds"] = spread(self.refusals).as_json()
            report["refusal_seconds_95th"] = significant(float(np.percentile(self.refusals, 95)))
            report["refused_promptly"] = significant(prompt / len(self.refusals))
        return report


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        For each load what became of its calls, and `goodput_at_2` and `goodput_at_5` of them, capacity,
        and the seconds of a call alone and of its deadline.
    """
    return asyncio.run(_run(settings))


async def _run(settings: BenchSettings) -> dict[str, Any]:
    rounds, seconds, steps = (1, 0.5, 8) if settings.quick else (ROUNDS, SECONDS, STEPS)
    graphs = Graphs(read_pack(settings.packs / settings.pack), settings.repository)
    images = list(targets(graphs, 16))
    outcomes = {load: Outcomes() for load in LOADS}
    capacities: list[float] = []
    random = np.random.default_rng(SEED)
    inflight = read_settings([], {}).max_inflight
    async with served(settings, max_inflight=inflight) as service, AsyncClient(service.address) as client:
        await invert_all(client, images[:8], concurrency=8, steps=steps)
        alone = await alone_seconds(client, images, steps)
        deadline = DEADLINE * alone
        async with open_async_channel(service.address, DEFAULT_MAX_MESSAGE_BYTES) as channel:
            caller = _Caller(channel, images, steps, deadline)
            for turn in range(rounds):
                window = Window(LEAD * deadline, seconds)
                before = await _rates(client, images, steps, window)
                met: dict[float, tuple[int, int]] = {}
                for load in LOADS if turn % 2 == 0 else reversed(LOADS):
                    arrivals = arrivals_of(random, load * max(before), window.end)
                    met[load] = await caller.meet(arrivals, window, outcomes[load])
                after = await _rates(client, images, steps, window)
                capacities.append(max(map(mean, zip(before, after, strict=True))))
                for load, (came, answered) in met.items():
                    outcomes[load].offered.append(came / seconds / capacities[-1])
                    outcomes[load].goodputs.append(answered / seconds / capacities[-1])
    goodputs = {f"goodput_at_{load:g}": _median(outcomes[load].goodputs) for load in LOADS if load > 1}
    return {
        **goodputs,
        "loads": {f"{load:g}": outcome.as_json() for load, outcome in outcomes.items()},
        "capacity_a_second": spread(capacities).as_json(),
        "seconds_alone": significant(alone),
        "deadline_seconds": significant(deadline),
        "max_inflight": inflight,
        "engine": settings.engine,
        "steps": steps,
        "rounds": rounds,
        "seconds_a_window": seconds,
    }


async def alone_seconds(client: AsyncClient, images: Sequence[Array], steps: int) -> float:
    """Seconds of a call when there is no other."""
    taken = [await invert_all(client, [image], concurrency=1, steps=steps) for image in images[:9]]
    return float(np.median(taken))


async def _rates(client: AsyncClient, images: Sequence[Array], steps: int, window: Window) -> list[float]:
    """Inversions a second of each number of callers in `CALLERS`, who each wait for their answers."""
    return [await rate(client, images, steps, callers, window) for callers in CALLERS]


async def rate(
    client: AsyncClient, images: Sequence[Array], steps: int, callers: int, window: Window
) -> float:
    """Inversions a second in the window. All go on for as long again as the lead, in the same company."""
    began, done = time.perf_counter(), 0.0

    async def call(image: Array) -> None:
        nonlocal done
        while (came := time.perf_counter() - began) < window.begin + window.end:
            await client.invert(image, steps=steps)
            done += window.share(came, time.perf_counter() - began)

    await asyncio.gather(*(call(images[index % len(images)]) for index in range(callers)))
    return done / window.seconds


def arrivals_of(random: np.random.Generator, rate: float, seconds: float) -> list[float]:
    """When calls arrive that know nothing of each other, so many a second: a Poisson process."""
    count = random.poisson(rate * seconds)
    return sorted(random.uniform(0.0, seconds, count))


def _median(figures: Sequence[float]) -> float:
    return significant(float(np.median(figures)))


@dataclass(frozen=True)
class Window:
    """When what happens counts.

    Attributes:
        begin: seconds from the start.
        seconds: how long it lasts.
    """

    begin: float
    seconds: float

    @property
    def end(self) -> float:
        """Seconds from the start when it is over."""
        return self.begin + self.seconds

    def holds(self, moment: float) -> bool:
        """Whether a moment, in seconds from the start, lies within."""
        return self.begin <= moment < self.end

    def share(self, came: float, ended: float) -> float:
        """Of the time between two moments, what lies within."""
        return max(0.0, min(ended, self.end) - max(came, self.begin)) / (ended - came)


class _Caller:
    """Calls at given times, and what becomes of each; nothing is tried again."""

    def __init__(
        self, channel: grpc.aio.Channel, images: Sequence[Array], steps: int, deadline: float
    ) -> None:
        options = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=steps))
        self._stub: Any = inversion_pb2_grpc.InversionServiceStub(channel)
        self._requests = [
            inversion_pb2.InvertRequest(image=image_message(image), options=options) for image in images
        ]
        self._deadline = deadline

    async def meet(self, arrivals: Sequence[float], window: Window, outcomes: Outcomes) -> tuple[int, int]:
        """Call at each time; how many came in the window, and how many were answered in it and in time."""
        began = time.perf_counter()
        answers: list[float] = []
        calls = []
        for index, at in enumerate(arrivals):
            await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
            counted = outcomes if window.holds(at) else Outcomes()
            calls.append(asyncio.create_task(self._call(index, began + at, counted, answers)))
        await asyncio.gather(*calls)
        came = sum(window.holds(at) for at in arrivals)
        return came, sum(window.holds(moment - began) for moment in answers)

    async def _call(self, index: int, arrived: float, outcomes: Outcomes, answers: list[float]) -> None:
        left = arrived + self._deadline - time.perf_counter()
        try:
            await self._stub.Invert(self._requests[index % len(self._requests)], timeout=max(0.001, left))
        except grpc.aio.AioRpcError as error:
            code, seconds = error.code(), time.perf_counter() - arrived
            match code:
                case grpc.StatusCode.RESOURCE_EXHAUSTED:
                    outcomes.counts["refused"] += 1
                    outcomes.refusals.append(seconds)
                case grpc.StatusCode.DEADLINE_EXCEEDED:
                    outcomes.counts["late"] += 1
                case _:
                    outcomes.counts[code.name.lower()] += 1
        else:
            moment = time.perf_counter()
            in_time = moment - arrived <= self._deadline
            outcomes.counts["in_time" if in_time else "late"] += 1
            outcomes.answers.append(moment - arrived)
            if in_time:
                answers.append(moment)


def image_message(image: Array) -> types_pb2.Image:
    """An image uint8 [R, R, 3] as it is sent, which nobody needs to decode."""
    height, width = image.shape[:2]
    raw = types_pb2.IMAGE_FORMAT_RAW_RGB
    return types_pb2.Image(data=image.tobytes(), format=raw, width=width, height=height)
