"""Callers of a service: a fixed number of them, each with one inversion after another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from bench.graphs import Array
from relatent import AsyncClient


async def invert_all(client: AsyncClient, images: Sequence[Array], *, concurrency: int, steps: int) -> float:
    """Invert images, at most `concurrency` at a time.

    Args:
        client: connected to the service.
        images: uint8 [R, R, 3] each.
        concurrency: how many callers take turns over the images.
        steps: refinement steps of each inversion.

    Returns:
        Seconds from the first call to the last answer.
    """
    waiting = list(images)

    async def caller() -> None:
        while waiting:
            inversion = await client.invert(waiting.pop(), steps=steps)
            if inversion.steps != steps:
                raise RuntimeError(f"expected {steps} steps, the service did {inversion.steps}")

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return time.perf_counter() - started
