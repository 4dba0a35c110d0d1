"""A service of the soak behind its gate, which is killed, stopped and replaced."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from bench.graphs import Array
from bench.soak_gate import Gate
from relatent import AsyncClient
from relatent.cli.local_service import LocalService
from relatent_service.engine.embedded.launch import workers_of
from relatent_service.engine.embedded.processes import first_to_end

START_SECONDS, ANSWER_SECONDS, DRAIN_SECONDS = 180.0, 180.0, 60.0
_STARTED = "started Triton, process "


class SoakedService:
    """One of the services, and whichever takes its place.

    Args:
        gate: clients know it by this one's address.
        flags: of each service.
        folder: for their logs.
        picture: uint8 [R, R, 3], which is inverted to find out whether it answers.
    """

    def __init__(self, gate: Gate, flags: Sequence[str], folder: Path, picture: Array) -> None:
        self.gate = gate
        self._flags, self._folder, self._picture = flags, folder, picture
        self._service: LocalService | None = None
        self._generation = 0

    @property
    def pid(self) -> int:
        """The service's process."""
        assert self._service is not None
        return self._service.pid

    def triton(self) -> int:
        """The process of the Triton that it started last."""
        lines = [line for line in self._log.read_text().splitlines() if _STARTED in line]
        return int(json.loads(lines[-1])["message"].removeprefix(_STARTED).split(",")[0])

    def worker(self, graph: str) -> int:
        """The process that runs a graph in that Triton."""
        return next(pid for pid, name in workers_of(self.triton()).items() if name == graph)

    async def start(self) -> None:
        """Start a service; returns when it serves and new connections are led to it."""
        self._generation += 1
        service = LocalService(self._flags, self._log, START_SECONDS)
        await asyncio.to_thread(service.__enter__)
        self._service = service
        self.gate.lead_to(service.address)

    async def kill(self) -> None:
        """End the service as a crash does."""
        os.kill(self.pid, signal.SIGKILL)
        await self._gone()

    async def terminate(self) -> None:
        """Ask the service to end, and wait for that."""
        os.kill(self.pid, signal.SIGTERM)
        await self._gone()

    async def answers(self) -> None:
        """Wait until the service itself, asked past the gate, has done a step of refinement."""
        assert self._service is not None
        await _invert(self._service.address, self._picture)

    async def answers_at_its_gate(self) -> None:
        """Wait until it has done so for one who comes by the gate."""
        await _invert(self.gate.address, self._picture)

    async def stop(self) -> None:
        """End the service, if there is one."""
        service, self._service = self._service, None
        if service is not None:
            await asyncio.to_thread(service.__exit__, None, None, None)

    @property
    def _log(self) -> Path:
        return self._folder / f"{self._generation}.log"

    async def _gone(self) -> None:
        async with asyncio.timeout(DRAIN_SECONDS):
            await first_to_end([self.pid])
        self.gate.lead_to(None)
        await self.stop()


async def _invert(address: str, picture: Array) -> None:
    async with AsyncClient(address, timeout=ANSWER_SECONDS) as client:
        await client.invert(picture, steps=1)
