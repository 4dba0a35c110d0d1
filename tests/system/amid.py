"""Faults amid calls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import relatent
from tests.fixtures import tiny

UNDER_WAY_SECONDS = 60


async def invert_amid(
    client: relatent.AsyncClient, callers: int, steps: int, fault: Callable[[], object]
) -> list[relatent.Inversion]:
    """Invert the same picture so many times at once, and cause a fault when all have reported."""
    under_way: set[int] = set()
    all_under_way = asyncio.Event()

    async def invert(caller: int) -> relatent.Inversion:
        def report(_: relatent.Progress) -> None:
            under_way.add(caller)
            if len(under_way) == callers:
                all_under_way.set()

        return await client.invert(tiny.random_image(1), steps=steps, progress=report)

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(invert(caller)) for caller in range(callers)]
        await asyncio.wait_for(all_under_way.wait(), UNDER_WAY_SECONDS)
        fault()
    return [call.result() for call in calls]
