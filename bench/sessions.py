"""Sessions: how old answers are while sliders move, and how many come a second.

One caller moves a slider sixty times a second, in a thread of its own, as a page does; another thread reads
the answers. The age of an answer is the time from when its change was handed to the client until it was
handed to whoever reads. Once with plain moves along a direction, once with exact edits of its attribute.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.timing import significant
from relatent import Client, Goal, LatentCode, Move, Operation, Reach
from relatent.core.pack import Pack

EVENTS_A_SECOND = 60
RATE_BAR, AGE_BAR_MS = 20, 100
"""Answers a second at least, and their median age at most."""
_PERIOD_SECONDS = 3.0
"""Of the slider's way from one end to the other and back."""
_PERCENTILES = (50, 90, 99)


def session_figures(address: str, pack: Pack, latent: LatentCode, seconds: float) -> dict[str, Any]:
    """Move a slider of the pack's first attribute for so many seconds, by moves and exactly.

    Args:
        address: the service's.
        pack: one with attributes, and a direction of the same name as the first.
        latent: what is edited.
        seconds: how long the slider moves, each time.

    Returns:
        `moves` and `exact`, each with `answers_a_second`, `age_ms` (percentiles `p50`, `p90` and `p99`),
        `dropped_share` of the changes, and how many `changes` there were; and `events_a_second`.
    """
    attribute = pack.attributes[0]
    middle, half = (attribute.low + attribute.high) / 2, (attribute.high - attribute.low) / 2

    def move(place: float) -> list[Operation]:
        return [Move(attribute.name, place)]

    def reach(place: float) -> list[Operation]:
        return [Reach([Goal(attribute.name, to=middle + 0.8 * half * place)])]

    with Client(address) as client:
        return {
            "moves": _slide(client, latent, move, seconds),
            "exact": _slide(client, latent, reach, seconds),
            "events_a_second": EVENTS_A_SECOND,
        }


def _slide(
    client: Client, latent: LatentCode, operations: Callable[[float], list[Operation]], seconds: float
) -> dict[str, Any]:
    """Move a slider between -1 and 1."""
    handed: dict[int, float] = {}
    with client.edit_session(latent) as session:
        session.change(operations(0.0))  # the first time is another matter
        session.answer()
        began = time.perf_counter()

        def move() -> None:
            for event in range(round(seconds * EVENTS_A_SECOND)):
                due = began + event / EVENTS_A_SECOND
                time.sleep(max(0.0, due - time.perf_counter()))
                place = math.sin(2 * math.pi * event / EVENTS_A_SECOND / _PERIOD_SECONDS)
                now = time.perf_counter()
                handed[session.change(operations(place))] = now
            session.finish()

        moving = threading.Thread(target=move)
        moving.start()
        arrivals = [(answer.number, time.perf_counter()) for answer in session]
        taken = time.perf_counter() - began
        moving.join()
    ages = [1e3 * (arrived - handed[number]) for number, arrived in arrivals]
    return {
        "answers_a_second": significant(len(ages) / taken),
        "age_ms": {f"p{share}": significant(float(np.percentile(ages, share))) for share in _PERCENTILES},
        "dropped_share": significant(1 - len(ages) / len(handed)),
        "changes": len(handed),
    }
