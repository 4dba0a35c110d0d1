"""Triton as a child of this process, from the PyPI wheel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import threading
from collections import deque
from pathlib import Path

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from service.engine.claim import Claim, sweep
from service.engine.engine import EngineUnavailable
from service.engine.installation import Installation, InstallationError, find_installation
from service.engine.launch import HOST, lay_out_backends, port_of, reserve_port, spawn
from service.engine.processes import children_of, first_to_end, kill_group
from service.engine.triton import TritonEngine, open_channel

log = logging.getLogger(__name__)
triton_log = logging.getLogger(f"{__name__}.triton")

START_SECONDS = 180.0
POLL_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0
"""After so long a life the next start does not wait for the crashes before."""
TAIL_LINES = 30
# Its warnings, and one of its errors, tell of GPUs that are not there.
LEVELS = {"E": logging.ERROR, "F": logging.CRITICAL}
HARMLESS = "CudaDriverHelper has not been initialized"


def why_not() -> str | None:
    """Why an embedded Triton cannot start here, with the cure; None if it can."""
    try:
        find_installation()
    except InstallationError as error:
        return str(error)
    return None


class EmbeddedTriton:
    """Owns a Triton process: starts it, starts it again when it dies, and ends with it.

    Triton is killed with the thread that runs the event loop, so that must live as long as it is wanted.
    Ports are chosen once and kept, so that clients find a restarted Triton where it was.

    Attributes:
        address: of gRPC, host:port.
        metrics_address: of Prometheus metrics over HTTP, host:port.
        restarts: how often it was started again.
    """

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        self._reserved = (reserve_port(), reserve_port())
        self._ports = [port_of(reserved) for reserved in self._reserved]
        self.address, self.metrics_address = (f"{HOST}:{port}" for port in self._ports)
        self.restarts = 0
        self._claim: Claim | None = None
        self._process: subprocess.Popen[str] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    async def start(self) -> None:
        """Start Triton; returns when it serves every model.

        Raises:
            EngineUnavailable: it does not start; the message says why.
        """
        if not any(self._repository.glob("*/config.pbtxt")):
            raise EngineUnavailable(f"{self._repository}: expected at least one folder with a config.pbtxt")
        try:
            installation = find_installation()
        except InstallationError as error:
            raise EngineUnavailable(f"Triton cannot start: {error}") from error
        sweep()
        self._claim = Claim()
        try:
            lay_out_backends(self._claim.folder / "backends", installation)
            process = self._spawn(installation, self._claim)
            await self._become_ready(process)
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep_running(installation, self._claim, process))

    async def stop(self) -> None:
        """End Triton and remove what it left on the machine."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        if self._process is not None:
            # Nothing in it is worth keeping, and its own way to stop takes seconds.
            _end(self._process)
            self._process = None
        if self._claim is not None:
            self._claim.release()
            self._claim = None
        for reserved in self._reserved:
            reserved.close()

    def _spawn(self, installation: Installation, claim: Claim) -> subprocess.Popen[str]:
        self._process = process = spawn(installation, self._repository, claim, self._ports)
        log.info("started Triton, process %d, gRPC on %s", process.pid, self.address)
        threading.Thread(target=self._forward_log, args=(process,), daemon=True).start()
        return process

    def _forward_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                text = line.rstrip()
                self._tail.append(text)
                triton_log.log(_level(text), "%s", text)

    async def _become_ready(self, process: subprocess.Popen[str]) -> None:
        ready = asyncio.create_task(_wait_until_ready(self.address))
        ended = asyncio.create_task(first_to_end([process.pid]))
        try:
            await asyncio.wait({ready, ended}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                return ready.result()
            reason = (
                f"ended with code {process.wait()}" if ended.done() else f"not ready in {START_SECONDS} s"
            )
        finally:
            ready.cancel()
            ended.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)
        raise EngineUnavailable("\n".join([f"Triton did not start: {reason}; it said:", *self._tail]))

    async def _keep_running(
        self, installation: Installation, claim: Claim, process: subprocess.Popen[str]
    ) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            reason = await self._end_of_life(process)
            _end(process)
            claim.remove_regions()
            if clock() - began > SETTLED_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            log.error("%s; starting Triton again in %.1f s", reason, backoff)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LAST_BACKOFF_SECONDS)
            process = self._spawn(installation, claim)
            self.restarts += 1

    async def _end_of_life(self, process: subprocess.Popen[str]) -> str:
        """Wait until Triton is of no use any more; the reason.

        Triton goes on without a worker that died, and fails every call to its model.
        """
        try:
            await self._become_ready(process)
        except EngineUnavailable as error:
            return str(error)
        ended = await first_to_end([process.pid, *children_of(process.pid)])
        if ended == process.pid:
            return f"Triton ended with code {process.wait()}"
        return f"Triton's worker {ended} ended"


class EmbeddedEngine(TritonEngine):
    """The graphs of a model repository in an embedded Triton.

    Attributes:
        triton: the process.
    """

    def __init__(self, repository: Path) -> None:
        self.triton = EmbeddedTriton(repository)
        super().__init__([self.triton.address])

    async def start(self) -> None:
        """Start Triton; returns when every graph answers.

        Raises:
            EngineUnavailable: it does not start.
        """
        await self.triton.start()
        await super().start()

    async def stop(self) -> None:
        """End Triton and let go of everything."""
        await super().stop()
        await self.triton.stop()


def _level(line: str) -> int:
    """Of a line like 'E1122 05:56:01.508944 6500 server.cc:241] "…"'."""
    stamped = line[1:5].isdigit() and HARMLESS not in line
    return LEVELS.get(line[:1], logging.DEBUG) if stamped else logging.DEBUG


async def _wait_until_ready(address: str) -> None:
    async with open_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                if (await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=1)).ready:
                    return
            await asyncio.sleep(POLL_SECONDS)


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of Triton and its workers."""
    kill_group(process.pid)
    process.wait()
