"""A real service for measurements, a process of its own as is its Triton, and callers of it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from tritonclient.grpc.aio import InferenceServerClient

from bench.graphs import Array
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent import AsyncClient
from relatent.cli.local_service import LocalService, StartError

START_SECONDS = 120.0


@dataclass(frozen=True)
class GraphWork:
    """What Triton did for one graph since it started, or between two looks.

    Attributes:
        requests: calls answered.
        samples: samples that went through the graph.
        executions: runs of the graph; each took a batch of samples.
        compute_seconds: the runs' own time, input and output copies included.
        queue_seconds: the calls' waiting time, added up.
    """

    requests: int = 0
    samples: int = 0
    executions: int = 0
    compute_seconds: float = 0.0
    queue_seconds: float = 0.0

    def __add__(self, other: GraphWork) -> GraphWork:
        return GraphWork(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __sub__(self, earlier: GraphWork) -> GraphWork:
        return GraphWork(*(a - b for a, b in zip(astuple(self), astuple(earlier), strict=True)))


@dataclass(frozen=True)
class Way:
    """A served way of inverting.

    Attributes:
        method: of the pack.
        steps: of refinement.
    """

    method: str
    steps: int


Work = dict[str, GraphWork]
"""What Triton did, by graph; empty with the local engine."""


def added(one: Work, other: Work) -> Work:
    """Two looks together."""
    return {name: one.get(name, GraphWork()) + other[name] for name in other}


def shares(work: Work, seconds: float) -> dict[str, float]:
    """How much of some seconds each graph that ran took; what is missing is everything else."""
    return {name: significant(w.compute_seconds / seconds) for name, w in work.items() if w.executions}


def mean_batch(work: Work, graph: str) -> float | None:
    """Samples of a run on average; None where Triton was not looked at."""
    return significant(work[graph].samples / work[graph].executions) if work else None


class Served:
    """A running service.

    Attributes:
        address: gRPC, host:port.
    """

    def __init__(self, address: str, triton: str | None) -> None:
        self.address = address
        self._triton = InferenceServerClient(triton) if triton else None

    async def work(self) -> Work:
        """What Triton did so far."""
        if self._triton is None:
            return {}
        statistics = await self._triton.get_inference_statistics()
        return {model.name: _graph_work(model) for model in statistics.model_stats}

    async def work_since(self, earlier: Work) -> Work:
        """What Triton did since an earlier look."""
        now = await self.work()
        return {name: now[name] - earlier[name] for name in now}

    async def close(self) -> None:
        """Let go of the connection to Triton."""
        if self._triton is not None:
            await self._triton.close()


@asynccontextmanager
async def served(
    settings: BenchSettings, *, max_inflight: int, further: Sequence[str] = ()
) -> AsyncIterator[Served]:
    """Start a service, with the embedded Triton or the local engine, and end it again.

    Both also end with this process, should that be killed.

    Args:
        settings: of the measurement.
        max_inflight: of the service.
        further: flags.

    Raises:
        RuntimeError: the service did not come up; its last words are in the message.
    """
    # Callers send the same few pictures, and are to have each inverted.
    flags = ["--engine", settings.engine, "--max-inflight", str(max_inflight), "--latent-cache-bytes", "0"]
    with _service(settings, [*flags, *further]) as ready:
        service = Served(ready["grpc"], ready.get("triton"))
        try:
            yield service
        finally:
            await service.close()


async def invert_all(client: AsyncClient, images: Sequence[Array], *, concurrency: int, steps: int) -> float:
    """Invert images, at most `concurrency` at a time.

    Args:
        client: connected to the service.
        images: uint8 [R, R, 3] each.
        concurrency: how many callers take turns over the images.
        steps: refinement steps of each inversion.

    Returns:
        Seconds from the first call to the last answer.
    """
    waiting = list(images)

    async def caller() -> None:
        while waiting:
            inversion = await client.invert(waiting.pop(), steps=steps)
            if inversion.steps != steps:
                raise RuntimeError(f"expected {steps} steps, the service did {inversion.steps}")

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(concurrency)))
    return time.perf_counter() - started


async def invert_by(
    client: AsyncClient, images: Iterable[Array], callers: int, way: Way
) -> tuple[float, list[float]]:
    """Invert images one way, at most `callers` at a time.

    Args:
        client: connected to the service.
        images: uint8 [R, R, 3] each, or [N, R, R, 3].
        callers: who take turns over the images.
        way: method and steps.

    Returns:
        Seconds from the first call to the last answer, and the perceptual distance of each answer.

    Raises:
        RuntimeError: the service inverted in another way, or has no such distance.
    """
    waiting = list(enumerate(images))
    distances = [0.0] * len(waiting)

    async def caller() -> None:
        while waiting:
            index, image = waiting.pop()
            inversion = await client.invert(image, method=way.method, steps=way.steps)
            distance, found = inversion.quality.perceptual, Way(inversion.method, inversion.steps)
            if found != way or distance is None:
                raise RuntimeError(f"expected {way} and a perceptual distance, got {found} and {distance}")
            distances[index] = distance

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return time.perf_counter() - started, distances


@contextmanager
def _service(settings: BenchSettings, flags: list[str]) -> Iterator[Mapping[str, str]]:
    """Run the service; what its ready file tells. The event loop stands still while it starts and stops."""
    where = ["--packs", str(settings.packs), "--repository", str(settings.repository)]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        try:
            with LocalService([*where, *flags], log, START_SECONDS) as service:
                yield service.ready
        except StartError as error:
            # The log goes with its folder.
            raise RuntimeError(f"the service did not come up:\n{log.read_text()}") from error


def _graph_work(model: Any) -> GraphWork:
    """Read a `ModelStatistics`. Its batch statistics count a run once, the others once a request."""
    runs = [(batch.compute_input, batch.compute_infer, batch.compute_output) for batch in model.batch_stats]
    return GraphWork(
        requests=model.inference_stats.success.count,
        samples=model.inference_count,
        executions=model.execution_count,
        compute_seconds=sum(part.ns for parts in runs for part in parts) / 1e9,
        queue_seconds=model.inference_stats.queue.ns / 1e9,
    )
