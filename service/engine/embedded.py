"""Triton as a child of this process, from the PyPI wheel."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
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
from service.engine.processes import children_of, first_to_end, kill_group, reap_group
from service.engine.replica import open_channel

log = logging.getLogger(__name__)
triton_log = logging.getLogger(f"{__name__}.triton")

START_SECONDS = 180.0
POLL_SECONDS = 0.1
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0
"""After so long a life the next start does not wait for the crashes before."""
COMPLAINTS = 6
"""How many of them a failed start tells."""
LOG_SECONDS = 1.0
# How its lines begin: 'E1122 05:56:01.508944 6500 server.cc:241] "…"'. Its warnings, and one of its errors,
# tell of GPUs that are not there.
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
        address: of gRPC, host:port; empty before `start`.
        metrics_address: of Prometheus metrics over HTTP, host:port; empty before `start`.
        restarts: how often it was started again.
    """

    def __init__(self, repository: Path) -> None:
        self.address = self.metrics_address = ""
        self.restarts = 0
        self._repository = repository
        self._reserved: list[socket.socket] = []
        self._claim: Claim | None = None
        self._process: subprocess.Popen[str] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._log_reader: threading.Thread | None = None
        self._complaints: deque[str] = deque(maxlen=COMPLAINTS)

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        return self._process.pid if self._process is not None else None

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
        self._reserved = [reserve_port(), reserve_port()]
        self.address, self.metrics_address = (f"{HOST}:{port_of(reserved)}" for reserved in self._reserved)
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
        # Nothing in it is worth keeping, and its own way to stop takes seconds.
        await self._end_process()
        if self._claim is not None:
            self._claim.release()
            self._claim = None
        for reserved in self._reserved:
            reserved.close()
        self._reserved.clear()

    def _spawn(self, installation: Installation, claim: Claim) -> subprocess.Popen[str]:
        ports = [port_of(reserved) for reserved in self._reserved]
        self._process = process = spawn(installation, self._repository, claim, ports)
        log.info(
            "started Triton, process %d, gRPC on %s, metrics on %s",
            process.pid,
            self.address,
            self.metrics_address,
        )
        self._complaints.clear()
        self._log_reader = threading.Thread(target=self._forward_log, args=(process,), daemon=True)
        self._log_reader.start()
        return process

    async def _end_process(self) -> None:
        """Kill Triton and its workers; returns when they are gone."""
        process, self._process = self._process, None
        if process is not None:
            kill_group(process.pid)
            process.wait()
            reap_group(process.pid)
        if self._log_reader is not None:  # it ends with the last of those that write to it
            await asyncio.to_thread(self._log_reader.join, LOG_SECONDS)

    def _forward_log(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                text = line.rstrip()
                stamped = text[1:5].isdigit()
                serious = stamped and text[0] in LEVELS and HARMLESS not in text
                triton_log.log(LEVELS[text[0]] if serious else logging.DEBUG, "%s", text)
                # Lines without a stamp are tables, or sentences from Triton's main or the loader.
                if serious or (not stamped and text[:1].isalpha()):
                    self._complaints.append(text)

    async def _become_ready(self, process: subprocess.Popen[str]) -> None:
        ready = asyncio.create_task(_wait_until_ready(self.address))
        ended = asyncio.create_task(first_to_end([process.pid]))
        try:
            await asyncio.wait({ready, ended}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                return ready.result()
            reason = "it ended" if ended.done() else f"it was not ready after {START_SECONDS:.0f} s"
        finally:
            ready.cancel()
            ended.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)
        await self._end_process()
        raise EngineUnavailable("\n".join([f"Triton did not start: {reason}; it said:", *self._complaints]))

    async def _keep_running(
        self, installation: Installation, claim: Claim, process: subprocess.Popen[str]
    ) -> None:
        backoff = FIRST_BACKOFF_SECONDS
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            reason = await self._end_of_life(process)
            await self._end_process()
            claim.remove_regions()
            if clock() - began > SETTLED_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            log.error("%s; starting Triton again in %.1f s", reason, backoff)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, LAST_BACKOFF_SECONDS)
            try:
                process = self._spawn(installation, claim)
            except OSError:  # no memory for it now, perhaps later
                log.exception("Triton cannot be started")
            else:
                self.restarts += 1

    async def _end_of_life(self, process: subprocess.Popen[str]) -> str:
        """Wait until Triton is of no use any more; the reason.

        Triton itself starts another worker at the next call to the model of one that died. But it died
        with its part of the memory that they share in whatever state: only a new Triton is surely sound.
        """
        try:
            await self._become_ready(process)
        except EngineUnavailable as error:
            return str(error)
        ended = await first_to_end([process.pid, *children_of(process.pid)])
        return "Triton ended" if ended == process.pid else f"Triton's worker {ended} ended"


async def _wait_until_ready(address: str) -> None:
    async with open_channel(address) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                if (await stub.ServerReady(service_pb2.ServerReadyRequest(), timeout=1)).ready:
                    return
            await asyncio.sleep(POLL_SECONDS)
