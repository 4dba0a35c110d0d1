"""Inversions while the network is cut in two: `python -m tests.system.cut_off WHERE ROOT WORK`.

It runs in a network namespace of its own, and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import relatent
from relatent.client import channels
from tests.fixtures import tiny
from tests.system.amid import invert_amid
from tests.system.networks import FAR, Cable, cable
from tests.system.processes import ServiceProcess

STEPS, CALLERS = 600, 4
ASK_MILLISECONDS = 2_000
"""After so long a silence these clients ask whether their server is there; others after ten times that."""


async def between_client_and_service(
    cut_at: Cable, root: Path, work: Path, stack: ExitStack
) -> dict[str, Any]:
    """One of two services is cut off from its clients, for good."""
    local = ("--engine", "local", "--latent-cache-bytes", "0")
    there = ("--listen", f"{FAR}:0", "--metrics-listen", f"{FAR}:0", "--insecure", "yes")
    far = ServiceProcess(root, work / "far", *local, *there, within=cut_at.there)
    near = ServiceProcess(root, work / "near", *local)
    for service in (far, near):
        stack.callback(service.end)
        service.wait_ready()
    channels.KEEPALIVE_MILLISECONDS = ASK_MILLISECONDS
    undisturbed = await _invert([near.address])
    found, seconds = await _invert_amid([far.address, near.address], cut_at.cut)
    cut_at.mend()
    began = time.monotonic()
    again = await _invert([far.address])
    return {
        "seconds": seconds,
        "seconds_until_whole": time.monotonic() - began,
        **_judged(undisturbed, [*found, *again]),
        "resumed": sum(one.resumed for one in found),
    }


async def between_service_and_triton(
    cut_at: Cable, root: Path, work: Path, stack: ExitStack
) -> dict[str, Any]:
    """One of two Tritons is cut off from their service, which the clients stay with."""
    repository = root / "model_repository"
    far = stack.enter_context(_triton(FAR, repository, cut_at.there))
    near = stack.enter_context(_triton("127.0.0.1", repository, []))
    pool = ("--engine", "triton", "--triton", f"{far},{near}", "--latent-cache-bytes", "0")
    service = ServiceProcess(root, work / "service", *pool)
    stack.callback(service.end)
    service.wait_ready()
    undisturbed = await _invert([service.address])
    found, seconds = await _invert_amid([service.address], cut_at.cut)
    cut_at.mend()
    began = time.monotonic()
    while len(service.log_lines(f"Triton server {far} is ready")) < 2:
        await asyncio.sleep(0.05)
    return {
        "seconds": seconds,
        "seconds_until_whole": time.monotonic() - began,
        **_judged(undisturbed, found),
        "gone": len(service.log_lines(f"Triton server {far} is gone")),
        "failed_calls": len([line for line in service.log_lines("call") if line["code"] != "OK"]),
    }


async def _invert(addresses: list[str]) -> list[relatent.Inversion]:
    async with relatent.AsyncClient(addresses, timeout=60) as client:
        return [await client.invert(tiny.random_image(1), steps=STEPS)]


async def _invert_amid(
    addresses: list[str], fault: Callable[[], None]
) -> tuple[list[relatent.Inversion], float]:
    """Invert, and cause a fault once all are under way; also the seconds from it to the end of all."""
    moments: list[float] = []

    def cause() -> None:
        fault()
        moments.append(time.monotonic())

    async with relatent.AsyncClient(addresses, timeout=60) as client:
        found = await invert_amid(client, CALLERS, STEPS, cause)
    return found, time.monotonic() - moments[0]


def _judged(undisturbed: list[relatent.Inversion], found: list[relatent.Inversion]) -> dict[str, Any]:
    """How far losses are from those of an undisturbed inversion, at most, relatively."""
    (right,) = undisturbed
    return {
        "steps": sorted({one.steps for one in found}),
        "difference": max(
            abs(loss / expected - 1)
            for one in found
            for loss, expected in zip(one.losses, right.losses, strict=True)
        ),
    }


@contextmanager
def _triton(host: str, repository: Path, within: list[str]) -> Iterator[str]:
    """A Triton that belongs to no service; its address."""
    command = [*within, sys.executable, "-m", "tests.system.lone_triton", host, str(repository)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "Triton did not start"
        yield address


def main(where: str, root: Path, work: Path) -> None:
    """Cut it there; print what came of it."""
    scenarios = {"client": between_client_and_service, "triton": between_service_and_triton}
    with cable() as cut_at, ExitStack() as stack:
        print(json.dumps(asyncio.run(scenarios[where](cut_at, root, work, stack))))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
