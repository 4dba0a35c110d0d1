"""A Triton of the soak that belongs to no service, behind its gate, as one of a pool."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from bench.soak_gate import Gate
from relatent_service.channels import open_channel
from relatent_service.engine.embedded.child import EmbeddedTriton
from relatent_service.engine.embedded.launch import workers_of

WHOLE_SECONDS = 180.0
_LOOK_SECONDS = 0.1


class SoakedTriton:
    """One of them, and whichever takes its place.

    Args:
        gate: services know it by this one's address.
        repository: the model repository.
    """

    def __init__(self, gate: Gate, repository: Path) -> None:
        self.gate = gate
        self._repository = repository
        self._triton: EmbeddedTriton | None = None

    @property
    def pid(self) -> int:
        """Its process; 0 while there is none."""
        return (self._triton and self._triton.pid) or 0

    def worker(self, graph: str) -> int:
        """The process that runs a graph."""
        return next(pid for pid, name in workers_of(self.pid).items() if name == graph)

    async def start(self) -> None:
        """Start one; returns when it serves."""
        triton = EmbeddedTriton(self._repository)
        await triton.start()
        self._triton = triton
        self.gate.lead_to(triton.address)

    def kill(self) -> None:
        """End it as a crash does; another is started in its place."""
        os.kill(self.pid, signal.SIGKILL)

    async def replace(self) -> None:
        """End it, and start another in its place; returns when that serves."""
        await self.stop()
        await self.start()
        await self.whole()

    async def whole(self) -> None:
        """Wait until it answers for every graph those who come by the gate."""
        async with asyncio.timeout(WHOLE_SECONDS), open_channel(self.gate.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            while True:
                with suppress(grpc.aio.AioRpcError):
                    if (await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=1)).ready:
                        return
                await asyncio.sleep(_LOOK_SECONDS)

    async def stop(self) -> None:
        """End it, if there is one."""
        self.gate.lead_to(None)
        triton, self._triton = self._triton, None
        if triton is not None:
            await triton.stop()
