"""One Triton server: the connection to it, and whether it may be given calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from relatent.core.addresses import parse_address
from relatent.core.proxies import proxy_variable
from relatent.core.renewed_channel import RenewedChannel
from relatent.core.tracing import Headers
from relatent_service.channels import TritonCredentials, open_channel
from relatent_service.engine.engine import (
    EngineConfused,
    EngineError,
    EngineRejected,
    EngineTimedOut,
    EngineUnavailable,
    Graph,
)
from relatent_service.engine.graphs import graph_of

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.1
"""Between two looks for a server that is away."""
WATCH_SECONDS = 1.0
"""Between two questions to a server whether it is still there."""
SILENCE_SECONDS = 10.0
"""A server that leaves such a question unanswered for so long is given up. gRPC's own pings would not do:
Triton takes more than one in five minutes as an attack and hangs up."""
# What Triton says, with the code of an internal error, when it gives up a worker of its Python backend (it
# starts another), and when others have filled the memory that it shares with its workers.
WORKER_LOST = "Stub process"
MEMORY_FILLED = "shared memory pool size"


@dataclass(frozen=True, eq=False)
class _Connection:
    """A channel, and the methods that are called on it."""

    channel: grpc.aio.Channel
    stub: Any

    @classmethod
    def to(cls, address: str, credentials: grpc.ChannelCredentials | None) -> _Connection:
        channel = open_channel(address, credentials)
        return cls(channel, service_pb2_grpc.GRPCInferenceServiceStub(channel))


class Replica:
    """One server and the connection to it.

    Args:
        address: host:port, or unix:PATH.
        accept: says why a server with these graphs must not be used; None if it may.
        credentials: of TLS, renewed by whoever has them; None: without.

    Attributes:
        name: the address, and the variable with the proxy that leads to it, if one does.
        arrived: set while it answers with the graphs expected.
        reason: why it does not, otherwise.
    """

    def __init__(
        self,
        address: str,
        accept: Callable[[dict[str, Graph]], str | None],
        credentials: TritonCredentials | None = None,
    ) -> None:
        self.address = address
        proxy = proxy_variable(parse_address(address))
        self.name = f"{address} (through the proxy that {proxy} names)" if proxy else address
        self.arrived = asyncio.Event()
        self.reason = "not tried yet"
        self._accept = accept
        self._connection = RenewedChannel(
            partial(_Connection.to, address), lambda: None if credentials is None else credentials.newest
        )
        self._graphs: frozenset[str] = frozenset()
        self._lost = asyncio.Event()
        self._lost.set()
        self._silent = False
        self._under_way: set[asyncio.Timeout] = set()
        self._keeper = asyncio.create_task(self._keep())

    async def infer(self, request: Any, timeout: float | None, headers: Headers) -> Any:
        """Have a `ModelInferRequest` answered.

        Raises:
            EngineUnavailable: the server is gone, or has fallen silent.
            EngineTimedOut, EngineRejected: as their names say.
        """
        try:
            async with asyncio.timeout(None) as until_lost:
                self._under_way.add(until_lost)
                try:
                    return await self._call("ModelInfer", request, timeout, headers)
                finally:
                    self._under_way.discard(until_lost)
        except TimeoutError as error:
            raise EngineUnavailable(self.reason) from error
        except EngineUnavailable as error:
            self._lose(str(error))
            raise

    async def probe(self) -> bool:
        """Ask whether it would run every graph; it gets no more calls until it would."""
        try:
            ready = await self._ready_models()
        except EngineTimedOut:
            self._silent = True
            self._lose(f"it has not answered for {SILENCE_SECONDS:.0f} s")
            # On a connection that carries nothing, they would wait for as long as their callers do.
            while self._under_way:
                self._under_way.pop().reschedule(0)
            return False
        except EngineError as error:
            self._lose(str(error))
            return False
        missing = sorted(self._graphs - ready)
        if missing:
            self._lose(f"not ready: {', '.join(missing)}")
        return not missing

    async def close(self) -> None:
        """Let go of the connection."""
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        for connection in self._connection.let_go():
            await connection.channel.close()

    def _lose(self, reason: str) -> None:
        if self.arrived.is_set():
            log.warning("Triton server %s is gone: %s", self.name, reason)
        self.reason = reason
        self.arrived.clear()
        self._lost.set()

    async def _keep(self) -> None:
        """Look for the server while it is lost, watch it while it is there; never returns."""
        while True:
            if not self._lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(WATCH_SECONDS):
                        await self._lost.wait()
                    continue
                await self.probe()
            elif not await self._look_for_it():
                await asyncio.sleep(LOOK_SECONDS)

    async def _look_for_it(self) -> bool:
        """Whether the server is there and may be used."""
        if self._silent:
            # The system would try for minutes to get through what was sent on the old connection.
            self._connection.replace()
            self._silent = False
        try:
            graphs = await self._read_graphs()
        except EngineError as error:
            self.reason = str(error)
            self._silent = isinstance(error, EngineTimedOut)
            return False
        refusal = self._accept(graphs)
        if refusal is not None:
            self.reason = refusal
            return False
        log.info("Triton server %s is ready", self.name)
        self._graphs = frozenset(graphs)
        self._lost.clear()
        self.arrived.set()
        return True

    async def _ready_models(self) -> set[str]:
        index = await self._index()
        return {model.name for model in index.models if model.state == "READY"}

    async def _read_graphs(self) -> dict[str, Graph]:
        graphs = {}
        for model in (await self._index()).models:
            if not model.state:  # in the repository, never asked for
                continue
            if model.state != "READY":
                raise EngineUnavailable(f"model {model.name} is {model.state}: {model.reason}")
            question = service_pb2.ModelConfigRequest(name=model.name)
            answer = await self._call("ModelConfig", question, SILENCE_SECONDS)
            graph = graph_of(answer.config)
            if graph is not None:
                graphs[graph.name] = graph
        return graphs

    async def _index(self) -> Any:
        request = service_pb2.RepositoryIndexRequest()
        return await self._call("RepositoryIndex", request, SILENCE_SECONDS)

    async def _call(self, method: str, request: Any, timeout: float | None, headers: Headers = ()) -> Any:
        connection = self._connection.take()
        try:
            call = getattr(connection.stub, method)
            return await call(request, timeout=timeout, metadata=headers)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and not task.cancelling():  # not us: the connection was closed under the call
                raise EngineUnavailable("the connection was given up") from None
            raise
        except grpc.aio.AioRpcError as error:
            raise _engine_error(error) from error
        finally:
            for ended in self._connection.give_back(connection):
                await ended.channel.close()


def _engine_error(error: grpc.aio.AioRpcError) -> EngineError:
    code, text = error.code(), error.details() or ""
    message = f"{code.name}: {text}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return EngineTimedOut(message)
    if WORKER_LOST in text:
        return EngineConfused(message)
    gone = code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
    if gone or MEMORY_FILLED in text:
        return EngineUnavailable(message)
    return EngineRejected(message)
