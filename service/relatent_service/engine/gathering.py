"""Chunks of one graph that are ready at the same moment go to a server as one request.

Refinements go on at the same moment (`relatent_service.inversion.lockstep`). Were each chunk a request of its
own, Triton would have to wait for the last of them, and where it waited too little the rest would run by
themselves; and every request is packed, sent and taken apart by itself, while the cores have nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import TypeAlias

from relatent.core.tracing import Headers, annotate, sampled_headers
from relatent_service.engine.batches import joined, part, samples_of
from relatent_service.engine.engine import (
    Answer,
    Array,
    CutShort,
    EngineError,
    EngineRejected,
    EngineTimedOut,
    Graph,
)

MOST_BYTES = 256 << 20
"""Of the inputs of one request, where there are several in it; gRPC takes up to 2 GiB."""

_Inputs: TypeAlias = Mapping[str, Array]
_Kind: TypeAlias = tuple[str, tuple[tuple[str, tuple[int, ...]], ...]]
"""A graph, and of each input its shape without the batch axis."""


@dataclass
class Attempt:
    """Where a request is just now.

    Attributes:
        headers: that are sent along with it.
        server: that was asked last; empty before any was.
        asked: when that was, by the monotonic clock.
    """

    headers: Headers = ()
    server: str = ""
    asked: float = field(default_factory=lambda: monotonic())

    def tell(self) -> None:
        """Tell the span at hand of the server, if any was asked."""
        if self.server:
            annotate("server.address", self.server)

    def cut_short(self) -> CutShort:
        """What ended it, should it have been ended just now."""
        return CutShort(monotonic() - self.asked)


Ask: TypeAlias = Callable[[Graph, _Inputs, Attempt], Awaitable[Answer]]
"""Has one request answered, without end, and tells of its attempt at a server."""


@dataclass(eq=False)
class _Group:
    """Calls that become one request.

    Attributes:
        graph: that they ask for.
        inputs: of each.
        waiting: how many still wait for the answer.
        attempt: that they are.
        task: sends them.
    """

    graph: Graph
    inputs: list[_Inputs]
    waiting: int = 0
    attempt: Attempt = field(default_factory=Attempt)
    task: asyncio.Task[Answer] | None = None

    @property
    def samples(self) -> int:
        return sum(map(samples_of, self.inputs))

    @property
    def size(self) -> int:
        return sum(array.nbytes for arrays in self.inputs for array in arrays.values())


class Gathering:
    """The one owner of the calls that are about to go to a server, and of the requests that they became.

    Args:
        ask: sends a request.
        servers: how many there are to share what comes at one moment.
    """

    def __init__(self, ask: Ask, servers: Callable[[], int]) -> None:
        self._ask = ask
        self._servers = servers
        self._open: dict[_Kind, list[_Group]] = {}
        """Not sent yet, by what is in them; as many as there are servers, or more where one would not do."""

    async def infer(self, graph: Graph, inputs: _Inputs, timeout: float | None) -> Answer:
        """Run a graph on samples, together with those of other calls.

        Args:
            graph: which.
            inputs: as it takes them, checked.
            timeout: seconds to wait at most; the others of the request may wait longer.

        Raises:
            EngineError: as the engine says, with `CutShort` as the cause where no time was left.
        """
        group, place = self._join(graph, inputs)
        try:
            async with asyncio.timeout(timeout):
                try:
                    return await self._answer(group, place)
                except EngineRejected:
                    if len(group.inputs) == 1:
                        raise
                # Perhaps for another's sake.
                group, place = self._sent(_Group(graph, [inputs], attempt=Attempt(sampled_headers()))), 0
                return await self._answer(group, place)
        except TimeoutError:
            late = f"{graph.name}: no answer within {timeout:.3f} s"
            raise EngineTimedOut(late) from group.attempt.cut_short()
        except asyncio.CancelledError as error:
            raise error from group.attempt.cut_short()
        except EngineTimedOut as error:
            raise EngineTimedOut(str(error)) from group.attempt.cut_short()

    def _join(self, graph: Graph, inputs: _Inputs) -> tuple[_Group, int]:
        """The request that a call is a part of, and its place there."""
        kind = graph.name, tuple((name, array.shape[1:]) for name, array in inputs.items())
        groups = self._open.setdefault(kind, [])
        if not groups:
            # Those that were woken together have all joined by the time that this is run.
            asyncio.get_running_loop().call_soon(self._open.pop, kind)
        fitting = [group for group in groups if _fits(group, inputs)]
        if not fitting or len(groups) < self._servers():
            fitting = [self._sent(_Group(graph, []))]
            groups += fitting
        group = min(fitting, key=lambda each: each.samples)
        group.inputs.append(inputs)
        group.attempt.headers = group.attempt.headers or sampled_headers()
        return group, len(group.inputs) - 1

    def _sent(self, group: _Group) -> _Group:
        group.task = asyncio.create_task(self._send(group))
        return group

    async def _send(self, group: _Group) -> Answer:
        return await self._ask(group.graph, joined(group.inputs), group.attempt)

    async def _answer(self, group: _Group, place: int) -> Answer:
        """What a call gets of a request; who gives up leaves the others theirs, and the last one ends it."""
        assert group.task is not None
        group.waiting += 1
        try:
            answer = await asyncio.shield(group.task)
        except EngineError as error:
            raise type(error)(str(error)) from error  # each call has an error of its own
        finally:
            group.waiting -= 1
            if not group.waiting:
                group.task.cancel()
            group.attempt.tell()
        first = sum(map(samples_of, group.inputs[:place]))
        last = first + samples_of(group.inputs[place])
        return Answer(part(answer.outputs, first, last), answer.seconds)


def _fits(group: _Group, inputs: _Inputs) -> bool:
    size = sum(array.nbytes for array in inputs.values())
    return group.samples + samples_of(inputs) <= group.graph.max_batch and group.size + size <= MOST_BYTES
