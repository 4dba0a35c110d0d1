"""Triton as a child of this process, from the PyPI wheel."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tritonclient.grpc import service_pb2_grpc

from relatent.core.addresses import LOOPBACK
from relatent_service.channels import open_channel
from relatent_service.engine.embedded.hanging import Calls, Watch
from relatent_service.engine.embedded.installation import Installation, InstallationError, find_installation
from relatent_service.engine.embedded.launch import (
    is_taken,
    lay_out_backends,
    port_of,
    reserve_port,
    size_of_backends,
    spawn,
    workers_of,
)
from relatent_service.engine.embedded.leftovers import Leftovers, sweep
from relatent_service.engine.embedded.locations import (
    check_shared_memory,
    find_folder,
    shared_memory_needed,
    temporary_folders,
)
from relatent_service.engine.embedded.output import TritonOutput
from relatent_service.engine.embedded.processes import children_of, first_to_end, kill_group, reap_group
from relatent_service.engine.embedded.questions import is_live, until_ready
from relatent_service.engine.engine import EngineUnavailable

log = logging.getLogger(__name__)

START_SECONDS = 180.0
WATCH_AGAIN_SECONDS = 1.0
FIRST_BACKOFF_SECONDS = 0.1
LAST_BACKOFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0
"""After so long a life the next start does not wait for the crashes before."""


def why_not() -> str | None:
    """Why an embedded Triton cannot start here, with the cure; None if nothing is known against it."""
    try:
        find_folder(temporary_folders(), size_of_backends(find_installation()))
    except InstallationError as error:
        return str(error)
    return None


class _CrashedAtStart(EngineUnavailable):
    """Triton was ended by a signal before it was ready."""


class EmbeddedTriton:
    """Owns a Triton process: starts it, starts it again when it dies or hangs, and ends with it.

    Triton is killed with the thread that runs the event loop, so that must live as long as it is wanted.
    Its addresses are chosen once and kept, so that clients find a restarted Triton where it was.

    Attributes:
        address: of gRPC, a Unix socket that only this user can reach, unix:PATH; empty before `start`.
        metrics_address: of Prometheus metrics over HTTP, host:port; empty before `start`.
        restarts: how often it was started again.
        calls: those under way, which others count here.
    """

    def __init__(self, repository: Path) -> None:
        self.address = self.metrics_address = ""
        self.restarts = 0
        self.calls = Calls()
        self._repository = repository
        self._reserved: socket.socket | None = None
        self._leftovers: Leftovers | None = None
        self._process: subprocess.Popen[str] | None = None
        self._output: TritonOutput | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._watch: Watch | None = None
        self._doubt: asyncio.Future[str] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        return self._process.pid if self._process is not None else None

    @property
    def hangs(self) -> bool:
        """Whether it, or a worker of it, seems to hang."""
        return self._watch is not None and self._watch.suspicious

    @property
    def distrusted(self) -> bool:
        """Whether the Triton that runs is to be replaced for what it has answered."""
        return self._doubt is not None and self._doubt.done()

    def distrust(self, reason: str) -> None:
        """Have Triton replaced at once, and its answers until then distrusted."""
        if self._doubt is not None and not self._doubt.done():
            self._doubt.set_result(f"Triton may mistake one call's answer for another's: {reason}")

    async def start(self) -> None:
        """Start Triton; returns when it serves every model.

        Raises:
            EngineUnavailable: it does not start; the message says why.
        """
        if not any(self._repository.glob("*/config.pbtxt")):
            raise EngineUnavailable(f"{self._repository}: expected at least one folder with a config.pbtxt")
        try:
            installation = find_installation()
            with suppress(OSError):  # what others left is in nobody's way
                sweep()
            check_shared_memory(shared_memory_needed(self._repository))
            self._leftovers = Leftovers(find_folder(temporary_folders(), size_of_backends(installation)))
            self.address = self._leftovers.address
            lay_out_backends(self._leftovers.folder / "backends", installation)
            await self._start_first(installation, self._leftovers)
        except (InstallationError, OSError) as error:
            await self.stop()
            raise EngineUnavailable(f"Triton cannot start: {error}") from error
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep_running(installation, self._leftovers))

    async def _start_first(self, installation: Installation, leftovers: Leftovers) -> None:
        """Start it, up to twice more where it crashes; what is wrong with the repository, it says and ends.

        Its Python back end does on a busy machine, over memory shared with a worker (boost's lock_exception).
        """
        for _ in range(2):
            self._spawn(installation, leftovers)
            try:
                await self._become_ready()
            except _CrashedAtStart as error:
                log.warning("%s; starting Triton again", error)
                leftovers.clear()
            else:
                return
        self._spawn(installation, leftovers)
        await self._become_ready()

    async def stop(self) -> None:
        """End Triton and remove what it left on the machine."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        # Nothing in it is worth keeping, and its own way to stop takes seconds.
        await self._end_process()
        if self._leftovers is not None:
            self._leftovers.release()
            self._leftovers = None
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _spawn(self, installation: Installation, leftovers: Leftovers) -> None:
        port = self._metrics_port()
        self._doubt = asyncio.get_running_loop().create_future()
        leftovers.begin()
        self._process = spawn(installation, self._repository, leftovers, port)
        where = self.address, self.metrics_address
        log.info("started Triton, process %d, gRPC on %s, metrics on %s", self._process.pid, *where)
        self._output = TritonOutput(self._process)

    def _metrics_port(self) -> int:
        """The port for metrics; another one if somebody has taken it, as Triton would not start then."""
        if self._reserved is not None and is_taken(port_of(self._reserved)):
            log.error("%s, Triton's for metrics, was taken by another program", self.metrics_address)
            self._reserved.close()
            self._reserved = None
        if self._reserved is None:
            self._reserved = reserve_port()
            self.metrics_address = f"{LOOPBACK}:{port_of(self._reserved)}"
        return port_of(self._reserved)

    async def _end_process(self) -> None:
        """Kill Triton and its workers; returns when they are gone."""
        self._watch = None
        process, self._process = self._process, None
        if process is not None:
            kill_group(process.pid)
            # One that waits for a device takes its time, and calls are to be told so meanwhile.
            await asyncio.to_thread(process.wait)
            await asyncio.to_thread(reap_group, process.pid)
        if self._output is not None:
            await self._output.end()

    async def _become_ready(self) -> None:
        """Wait until it serves every model.

        Raises:
            EngineUnavailable: it ended, or took too long.
        """
        assert self._process is not None
        ready = asyncio.create_task(until_ready(self.address))
        ended = asyncio.create_task(first_to_end([self._process.pid]))
        try:
            await asyncio.wait({ready, ended}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if ready.done():
                return ready.result()
            if ended.done():
                ended.result()
            kind, reason = EngineUnavailable, f"it was not ready after {START_SECONDS:.0f} s"
            if ended.done():
                reason = _end_of(self._process)
                kind = _CrashedAtStart if self._process.wait() < 0 else EngineUnavailable
        finally:
            ready.cancel()
            ended.cancel()
            await asyncio.gather(ready, ended, return_exceptions=True)
            if self._leftovers is not None:
                self._leftovers.take()
        await self._end_process()
        complaints = self._output.complaints if self._output is not None else ()
        raise kind("\n".join([f"Triton did not start: {reason}; it said:", *complaints]))

    async def _keep_running(self, installation: Installation, leftovers: Leftovers) -> None:
        """Start Triton again whenever it is of no use any more.

        Whatever goes wrong here, such as a lack of memory or of file descriptors, it goes on: nobody else
        would.
        """
        backoff = FIRST_BACKOFF_SECONDS
        clock = asyncio.get_running_loop().time
        trouble = ""
        while True:
            began = clock()
            try:
                reason = await self._end_of_life()
            except Exception as error:
                reason = f"Triton cannot be watched: {error}"
                if self._process is not None and self._process.poll() is None:
                    if reason != trouble:
                        log.warning("%s; it is left running", reason)
                    trouble = reason
                    await asyncio.sleep(WATCH_AGAIN_SECONDS)
                    continue
            if clock() - began > SETTLED_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            log.error("%s; starting Triton again in %.1f s", reason, backoff)
            try:
                await self._end_process()
                await asyncio.sleep(backoff)
                leftovers.clear()
                self._spawn(installation, leftovers)
            except Exception:
                log.exception("Triton cannot be started")
            else:
                self.restarts += 1
            backoff = min(2 * backoff, LAST_BACKOFF_SECONDS)

    async def _end_of_life(self) -> str:
        """Wait until Triton is of no use any more; the reason.

        Triton itself starts another worker at the next call to the model of one that died. But it died
        with its part of the memory that they share in whatever state: only a new Triton is surely sound.
        """
        if self._process is None:
            return "Triton is not running"
        try:
            await self._become_ready()
        except EngineUnavailable as error:
            return str(error)
        triton, doubt = self._process.pid, self._doubt
        assert doubt is not None
        async with open_channel(self.address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            self._watch = Watch(triton, workers_of(triton), self.calls, lambda: is_live(stub))
            hangs = asyncio.create_task(self._watch.until_one_hangs())
            ended = asyncio.create_task(first_to_end([triton, *children_of(triton)]))
            try:
                reasons: set[asyncio.Future[Any]] = {hangs, ended, doubt}
                await asyncio.wait(reasons, return_when=asyncio.FIRST_COMPLETED)
                if doubt.done():
                    return doubt.result()
                if hangs.done():
                    return hangs.result()
                first = ended.result()
                return "Triton ended" if first == triton else f"Triton's worker {first} ended"
            finally:
                hangs.cancel()
                ended.cancel()
                await asyncio.gather(hangs, ended, return_exceptions=True)


def _end_of(process: subprocess.Popen[str]) -> str:
    """How a process ended that has."""
    code = process.wait()
    return f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with code {code}"
