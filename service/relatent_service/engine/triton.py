"""Graphs in Triton servers, reached over gRPC."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from time import monotonic
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

from relatent.core.tracing import sampled_headers
from relatent_service.channels import TritonCredentials
from relatent_service.engine.engine import (
    Answer,
    Array,
    EngineConfused,
    EngineTimedOut,
    EngineUnavailable,
    Graph,
)
from relatent_service.engine.gathering import Attempt, Gathering
from relatent_service.engine.graphs import check_inputs, find_graph
from relatent_service.engine.replica import Replica
from relatent_service.engine.runs import STEPS

START_SECONDS = 180.0


class TritonEngine:
    """Runs graphs on Triton servers that hold the same model repository.

    Calls go to the servers in turn. One that does not answer gets no calls until it does again, with the
    same graphs as before; calls under way at one that falls silent go to the next.

    Args:
        addresses: host:port or unix:PATH each.
        credentials: of TLS; None: without. When they are renewed, calls that begin go by the new ones.
    """

    def __init__(self, addresses: Sequence[str], credentials: TritonCredentials | None = None) -> None:
        if not addresses:
            raise ValueError("expected at least one address of a Triton server")
        self._addresses = tuple(addresses)
        self._credentials = credentials
        self._replicas: list[Replica] = []
        self._graphs: dict[str, Graph] = {}
        self._turn: Iterator[int] = itertools.count()
        self._gathering = Gathering(self._ask, lambda: len(self._present))

    @property
    def graphs(self) -> Mapping[str, Graph]:
        """Every graph, by name; empty before `start`."""
        return self._graphs

    async def start(self) -> None:
        """Connect; returns when a server answers for every graph.

        Raises:
            EngineUnavailable: none does within START_SECONDS.
        """
        self._replicas = [Replica(address, self._accept, self._credentials) for address in self._addresses]
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
            if replica.arrived.is_set() and await replica.probe():
                return True
        return False

    async def infer(self, graph: str, inputs: Mapping[str, Array], timeout: float | None = None) -> Answer:
        """Run a graph; see `Engine.infer`.

        Cancelling the call cancels it in Triton, unless other calls share its request.
        """
        expected = find_graph(self._graphs, graph)
        check_inputs(expected, inputs)
        if STEPS in inputs:
            return await self._gathering.infer(expected, inputs, timeout)
        attempt = Attempt(sampled_headers())
        try:
            return await self._ask(expected, inputs, attempt, timeout)
        except (EngineTimedOut, asyncio.CancelledError) as error:
            raise error from attempt.cut_short()
        finally:
            attempt.tell()

    async def _ask(
        self, graph: Graph, inputs: Mapping[str, Array], attempt: Attempt, timeout: float | None = None
    ) -> Answer:
        """Have one server after the other asked, and tell of it in `attempt`."""
        request = _request(graph.name, inputs)
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        failure: EngineUnavailable | None = None
        for replica in self._in_turn():
            attempt.server, attempt.asked = replica.address, monotonic()
            left = None if deadline is None else deadline - clock()
            try:
                response = await replica.infer(request, left, attempt.headers)
            except EngineUnavailable as error:
                failure = error
            else:
                arrays = _arrays(response)
                if not (missing := graph.outputs.keys() - arrays.keys()):
                    return Answer(arrays, monotonic() - attempt.asked)
                # What Triton answers, as if all were well, of a worker that was stopped and goes on.
                failure = EngineConfused(f"{replica.name}: an answer without {', '.join(sorted(missing))}")
        raise failure or self._absence()

    async def stop(self) -> None:
        """Let go of every connection."""
        await asyncio.gather(*(replica.close() for replica in self._replicas))
        self._replicas = []
        self._graphs = {}

    def _absence(self) -> EngineUnavailable:
        reasons = (f"{replica.name}: {replica.reason}" for replica in self._replicas)
        return EngineUnavailable("; ".join(["no Triton server is ready", *reasons]))

    @property
    def _present(self) -> list[Replica]:
        return [replica for replica in self._replicas if replica.arrived.is_set()]

    def _in_turn(self) -> list[Replica]:
        present = self._present
        first = next(self._turn) % max(1, len(present))
        return present[first:] + present[:first]

    def _accept(self, graphs: dict[str, Graph]) -> str | None:
        """Why a server with these graphs must not be used; the first one sets what is expected."""
        if not graphs:
            return "it serves no graphs of a pack"
        self._graphs = self._graphs or graphs
        different = sorted(name for name, graph in self._graphs.items() if graphs.get(name) != graph)
        return f"its graphs are not those of the start: {', '.join(different)}" if different else None


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
