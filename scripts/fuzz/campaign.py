"""Many probes, one after the other from a seed, and what came of them all."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from statistics import median
from threading import Lock
from typing import Any

import grpc

from scripts.fuzz.requests import Examples, Probe, make_probe, whole_requests
from scripts.fuzz.target import ProbeAnswer, Target, send

CALLERS = 8
WINDOW = 1000
"""Probes at the beginning and at the end whose memory is compared."""
MOST_GROWTH = 0.05
_LOOK_EVERY = 10
_LOOKS = WINDOW // _LOOK_EVERY


@dataclass
class Outcome:
    """What came of a campaign; filled as it goes.

    Attributes:
        codes: by method, how its calls ended.
        refusals: of sessions, what changes were refused with.
        faults: probes that the service answered with a fault of its own, by their numbers.
        resident: bytes of the service's memory, by the number of the probe that had just been answered.
        complaints: what the service logged of itself.
        seconds: it took.
    """

    codes: dict[str, Counter[grpc.StatusCode]] = field(default_factory=lambda: defaultdict(Counter))
    refusals: Counter[grpc.StatusCode] = field(default_factory=Counter)
    faults: dict[int, tuple[Probe, ProbeAnswer]] = field(default_factory=dict)
    resident: list[int] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        """Probes that were answered."""
        return sum(codes.total() for codes in self.codes.values())

    @property
    def growth(self) -> float | None:
        """From the first thousand probes' median memory to the last's, a share; None of fewer than two."""
        if len(self.resident) < 2 * _LOOKS:
            return None
        return median(self.resident[-_LOOKS:]) / median(self.resident[:_LOOKS]) - 1

    @property
    def sound(self) -> bool:
        """Whether nothing was the service's fault, and its memory stayed as it was."""
        return not self.faults and not self.complaints and (self.growth or 0) <= MOST_GROWTH

    def report(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        thousands = [self.resident[at : at + _LOOKS] for at in range(0, len(self.resident), _LOOKS)]
        return {
            "requests": self.count,
            "seconds": round(self.seconds, 1),
            "answers": {method: _named(codes) for method, codes in sorted(self.codes.items())},
            "refused_changes": _named(self.refusals),
            "faults": {
                number: f"{probe.method}: {answer.code.name} {answer.details}"
                for number, (probe, answer) in sorted(self.faults.items())
            },
            "complaints": self.complaints,
            "resident_mib": [round(median(each) / 2**20, 1) for each in thousands],
            "growth": None if self.growth is None else round(self.growth, 4),
            "sound": self.sound,
        }

    def count_in(self, number: int, probe: Probe, answer: ProbeAnswer) -> None:
        """Add what became of one probe."""
        self.codes[probe.method][answer.code] += 1
        self.refusals += answer.refusals
        if not answer.deserved:
            self.faults[number] = probe, answer

    def look_at(self, target: Target) -> bool:
        """Add the memory that the service has in use; whether there is a service."""
        resident = target.resident_bytes()
        if resident is None:
            return False
        self.resident.append(resident)
        return True


def _named(codes: Counter[grpc.StatusCode]) -> dict[str, int]:
    return {code.name: codes[code] for code in sorted(codes, key=lambda code: code.name)}


def numbered_probe(examples: Examples, seed: int, number: int) -> Probe:
    """A probe of a campaign, the same whatever came before it."""
    return make_probe(examples, Random(f"{seed} {number}"))


def run_campaign(
    target: Target, *, seed: int, count: int, tell: Callable[[int], None] = lambda number: None
) -> Outcome:
    """Send probes, so many callers at a time, until all are answered or the service is gone.

    Args:
        target: the service.
        seed: what all chance comes from.
        count: how many.
        tell: told of the number of each that was answered.
    """
    outcome, examples = Outcome(), whole_requests(target.pack)
    numbers, one_at_a_time = iter(range(count)), Lock()
    began = time.monotonic()

    def call(channel: grpc.Channel) -> None:
        for number in numbers:
            probe = numbered_probe(examples, seed, number)
            answer = send(channel, probe)
            with one_at_a_time:
                outcome.count_in(number, probe, answer)
                if outcome.count % _LOOK_EVERY == 0 and not outcome.look_at(target):
                    return
                tell(number)

    with grpc.insecure_channel(target.address) as channel:
        _warm_up(channel, examples)
        with ThreadPoolExecutor(CALLERS) as callers:
            for done in [callers.submit(call, channel) for _ in range(CALLERS)]:
                done.result()
    outcome.seconds = time.monotonic() - began
    outcome.complaints = target.complaints()
    return outcome


def _warm_up(channel: grpc.Channel, examples: Examples) -> None:
    """Send all that is whole once: what a service loads for its first calls is no growth.

    Raises:
        RuntimeError: it was refused, so that all that is made of it would be refused for the same reason.
    """
    for method, requests in examples.items():
        for messages in requests:
            probe = Probe(method, tuple(message.SerializeToString() for message in messages))
            answer = send(channel, probe)
            if answer.code is not grpc.StatusCode.OK or answer.refusals:
                raise RuntimeError(f"a whole request of {method} was answered {answer}")
