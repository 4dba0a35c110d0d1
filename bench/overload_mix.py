"""Calls of several kinds at given times, and what becomes of them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from bench.overload import PROMPT_SECONDS, Window, arrivals_of
from bench.timing import significant


@dataclass(frozen=True)
class MixedCall:
    """One kind of call in a mix.

    Attributes:
        name: in reports.
        method: of a stub.
        requests: that are sent in turns.
        key: of its callers.
        deadline: seconds.
        worth: seconds that one takes of all that can be done.
        share: of the work that is asked for, what is of this kind.
        bulk: whether nobody waits for it.
    """

    name: str
    method: Callable[..., Awaitable[object]]
    requests: Sequence[Message]
    key: str
    deadline: float
    worth: float
    share: float
    bulk: bool = False

    async def ask(self, index: int, timeout: float) -> None:
        """Call once; nothing is tried again.

        Raises:
            grpc.aio.AioRpcError: as the service says.
        """
        request = self.requests[index % len(self.requests)]
        await self.method(request, timeout=timeout, metadata=(("authorization", f"Bearer {self.key}"),))


@dataclass
class KindOutcomes:
    """What became of calls of one kind, or of several.

    Attributes:
        counts: those that came in the window, by how they ended: in_time, late, a reason of a refusal or a
            gRPC code.
        over_deadline: of those that were not refused, seconds over their deadline's.
        refusals: seconds until a refused call knew.
        done: seconds' worth of answers in time, of each as much as lay in the window.
        offered: seconds' worth of calls that came in the window.
    """

    counts: Counter[str] = field(default_factory=Counter)
    over_deadline: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)
    done: float = 0.0
    offered: float = 0.0

    def add(self, other: KindOutcomes) -> None:
        """Take in another's."""
        self.counts += other.counts
        self.over_deadline += other.over_deadline
        self.refusals += other.refusals
        self.done += other.done
        self.offered += other.offered

    def as_json(self) -> dict[str, Any]:
        """The same, for a report."""
        total = self.counts.total()
        report: dict[str, Any] = {
            "calls": total,
            "shares": {name: significant(count / total) for name, count in sorted(self.counts.items())},
        }
        if self.over_deadline:
            report["over_deadline"] = {
                f"p{share}": significant(float(np.percentile(self.over_deadline, share)))
                for share in (50, 99)
            }
        if self.refusals:
            prompt = sum(seconds <= PROMPT_SECONDS for seconds in self.refusals)
            report["refusal_seconds_95th"] = significant(float(np.percentile(self.refusals, 95)))
            report["refused_promptly"] = significant(prompt / len(self.refusals))
        return report


async def meet(
    mix: Sequence[MixedCall], load: float, window: Window, random: np.random.Generator
) -> Mapping[str, KindOutcomes]:
    """Call as often as comes to so many times of what can be done.

    Args:
        mix: kinds of calls.
        load: of the work that can be done, how much is asked for.
        window: in which what happens counts.
        random: draws when calls arrive.

    Returns:
        What became of each kind.
    """
    outcomes = {kind.name: KindOutcomes() for kind in mix}
    timetable = sorted(
        (at, place)
        for place, kind in enumerate(mix)
        for at in arrivals_of(random, load * kind.share / kind.worth, window.end)
    )
    began, calls = time.perf_counter(), []
    for index, (at, place) in enumerate(timetable):
        await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
        kind = mix[place]
        calls.append(asyncio.create_task(_call(kind, index, began, at, window, outcomes[kind.name])))
    await asyncio.gather(*calls)
    return outcomes


async def _call(
    kind: MixedCall, index: int, began: float, at: float, window: Window, outcomes: KindOutcomes
) -> None:
    """Call at a time; a call's seconds count from when it was to arrive."""
    counted = outcomes if window.holds(at) else KindOutcomes()
    counted.offered += kind.worth
    try:
        await kind.ask(index, max(0.001, began + at + kind.deadline - time.perf_counter()))
    except grpc.aio.AioRpcError as error:
        seconds = time.perf_counter() - began - at
        match error.code():
            case grpc.StatusCode.RESOURCE_EXHAUSTED:
                counted.counts[_reason(error)] += 1
                counted.refusals.append(seconds)
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                counted.counts["late"] += 1
                counted.over_deadline.append(seconds / kind.deadline)
            case code:
                counted.counts[code.name.lower()] += 1
        return
    ended = time.perf_counter() - began
    in_time = ended - at <= kind.deadline
    counted.counts["in_time" if in_time else "late"] += 1
    counted.over_deadline.append((ended - at) / kind.deadline)
    if in_time:
        outcomes.done += kind.worth * window.share(at, ended)


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Why a call was refused, in the service's words."""
    metadata = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    info = error_details_pb2.ErrorInfo()
    return info.reason.lower() if any(detail.Unpack(info) for detail in status.details) else "refused"
