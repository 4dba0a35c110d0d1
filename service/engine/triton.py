"""Graphs in Triton servers, reached over gRPC."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

from service.engine.engine import (
    Array,
    EngineError,
    EngineRejected,
    EngineTimedOut,
    EngineUnavailable,
    Graph,
)
from service.engine.graphs import check_inputs, find_graph, graph_of

log = logging.getLogger(__name__)

START_SECONDS = 180.0
PROBE_SECONDS = 0.1
PROBE_TIMEOUT_SECONDS = 5.0
CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Left alone, gRPC waits up to two minutes before it tries a server again that was away.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.use_local_subchannel_pool", 1),
]
# What Triton says, with the code of an internal error, when a worker of its Python backend has died; it
# starts another.
DEAD_WORKER = "Stub process"


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to a Triton server, with no limit on the size of messages."""
    return grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)


class TritonEngine:
    """Runs graphs on Triton servers that hold the same model repository.

    Calls go to the servers in turn. One that does not answer gets no calls until it does again, with the
    same graphs as before.

    Args:
        addresses: host:port each.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        if not addresses:
            raise ValueError("expected at least one address of a Triton server")
        self._addresses = tuple(addresses)
        self._replicas: list[_Replica] = []
        self._graphs: dict[str, Graph] = {}
        self._turn: Iterator[int] = itertools.count()

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every graph, by name; empty before `start`."""
        return self._graphs

    async def start(self) -> None:
        """Connect; returns when a server answers for every graph.

        Raises:
            EngineUnavailable: none does within START_SECONDS.
        """
        self._replicas = [_Replica(address, self._accept) for address in self._addresses]
        arrivals = [asyncio.create_task(replica.arrived.wait()) for replica in self._replicas]
        done, pending = await asyncio.wait(
            arrivals, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        for arrival in pending:
            arrival.cancel()
        if not done:
            failure = self._absence()
            await self.stop()
            raise failure

    async def healthy(self) -> bool:
        """Whether some server is ready to run every graph."""
        for replica in self._replicas:
            if replica.arrived.is_set():
                try:
                    ready = await replica.ready_models()
                except EngineError:
                    continue
                if ready >= self._graphs.keys():
                    return True
        return False

    async def infer(
        self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None
    ) -> dict[str, Array]:
        """Run a graph; see `Engine.infer`. Cancelling the call cancels it in Triton."""
        check_inputs(find_graph(self._graphs, graph), inputs)
        request = _request(graph, inputs)
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        failure: EngineUnavailable | None = None
        for replica in self._in_turn():
            try:
                return await replica.infer(request, None if deadline is None else deadline - clock())
            except EngineUnavailable as error:
                failure = error
        raise failure or self._absence()

    async def stop(self) -> None:
        """Let go of every connection."""
        await asyncio.gather(*(replica.close() for replica in self._replicas))
        self._replicas = []
        self._graphs = {}

    def _absence(self) -> EngineUnavailable:
        reasons = (f"{replica.address}: {replica.reason}" for replica in self._replicas)
        return EngineUnavailable("; ".join(["no Triton server is ready", *reasons]))

    def _in_turn(self) -> list[_Replica]:
        present = [replica for replica in self._replicas if replica.arrived.is_set()]
        first = next(self._turn) % max(1, len(present))
        return present[first:] + present[:first]

    def _accept(self, graphs: dict[str, Graph]) -> str | None:
        """Why a server with these graphs must not be used; the first one sets what is expected."""
        if not graphs:
            return "it serves no graphs of a pack"
        self._graphs = self._graphs or graphs
        different = sorted(name for name, graph in self._graphs.items() if graphs.get(name) != graph)
        return f"its graphs are not those of the start: {', '.join(different)}" if different else None


class _Replica:
    """One server and the connection to it.

    Attributes:
        arrived: set while it answers with the graphs expected.
        reason: why it does not, otherwise.
    """

    def __init__(self, address: str, accept: Callable[[dict[str, Graph]], str | None]) -> None:
        self.address = address
        self.arrived = asyncio.Event()
        self.reason = "not tried yet"
        self._accept = accept
        self._lost = asyncio.Event()
        self._lost.set()
        self._channel = open_channel(address)
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)
        self._keeper = asyncio.create_task(self._look_for_it())

    async def infer(self, request: Any, timeout: float | None) -> dict[str, Array]:
        try:
            response = await self._call(self._stub.ModelInfer, request, timeout)
        except EngineUnavailable as error:
            self._lose(str(error))
            raise
        return _arrays(response)

    async def ready_models(self) -> set[str]:
        index = await self._call(
            self._stub.RepositoryIndex, service_pb2.RepositoryIndexRequest(), PROBE_TIMEOUT_SECONDS
        )
        return {model.name for model in index.models if model.state == "READY"}

    async def close(self) -> None:
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self._channel.close()

    def _lose(self, reason: str) -> None:
        if self.arrived.is_set():
            log.warning("Triton server %s is gone: %s", self.address, reason)
        self.reason = reason
        self.arrived.clear()
        self._lost.set()

    async def _look_for_it(self) -> None:
        while True:
            await self._lost.wait()
            try:
                refusal = self._accept(await self._read_graphs())
            except EngineError as error:
                refusal = str(error)
            if refusal is None:
                log.info("Triton server %s is ready", self.address)
                self._lost.clear()
                self.arrived.set()
                continue
            self.reason = refusal
            await asyncio.sleep(PROBE_SECONDS)

    async def _read_graphs(self) -> dict[str, Graph]:
        index = await self._call(
            self._stub.RepositoryIndex, service_pb2.RepositoryIndexRequest(), PROBE_TIMEOUT_SECONDS
        )
        graphs = {}
        for model in index.models:
            if not model.state:  # in the repository, never asked for
                continue
            if model.state != "READY":
                raise EngineUnavailable(f"model {model.name} is {model.state}: {model.reason}")
            answer = await self._call(
                self._stub.ModelConfig,
                service_pb2.ModelConfigRequest(name=model.name),
                PROBE_TIMEOUT_SECONDS,
            )
            graph = graph_of(answer.config)
            if graph is not None:
                graphs[graph.name] = graph
        return graphs

    async def _call(self, method: Any, request: Any, timeout: float | None) -> Any:
        try:
            return await method(request, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            raise _engine_error(error) from error


def _engine_error(error: grpc.aio.AioRpcError) -> EngineError:
    code, text = error.code(), error.details() or ""
    message = f"{code.name}: {text}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return EngineTimedOut(message)
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED) or DEAD_WORKER in text:
        return EngineUnavailable(message)
    return EngineRejected(message)


def _request(graph: str, inputs: Mapping[str, Array]) -> Any:
    request = service_pb2.ModelInferRequest(model_name=graph)
    for name, array in inputs.items():
        request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return request


def _arrays(response: Any) -> dict[str, Array]:
    return {
        tensor.name: np.frombuffer(content, triton_to_np_dtype(tensor.datatype)).reshape(tensor.shape).copy()
        for tensor, content in zip(response.outputs, response.raw_output_contents, strict=True)
    }
