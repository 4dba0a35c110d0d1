"""Triton's family of processes and regions, as a test sees them from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from relatent_service.engine.embedded.locations import REGIONS
from relatent_service.engine.embedded.processes import children_of


async def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.02)


def regions_of(prefix: str) -> list[Path]:
    return list(REGIONS.glob(prefix + "*"))


def gone(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in "ZX"


def workers_of(triton: int) -> list[int]:
    """Its children that run Python for it; the guard is another one."""
    stub = b"triton_python_backend_stub"
    return [child for child in children_of(triton) if stub in Path(f"/proc/{child}/cmdline").read_bytes()]
