"""A refinement that outlives its server: what is kept of it between two calls."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from relatent.client import decoding
from relatent.client.errors import RelatentError
from relatent.client.goals import duration
from relatent.client.restoring import Restoration
from relatent.client.results import Checkpoint, Inversion, Progress
from relatent.v1 import inversion_pb2, restoration_pb2

ProgressCallback = Callable[[Progress], None]

T = TypeVar("T")


@dataclass(frozen=True)
class Refining(Generic[T]):
    """A method of the service that refines and reports as it goes.

    Attributes:
        path: service and method.
        response: a message of its stream, which holds `progress` or `result`.
        options: the options of the inversion in its request.
        read: reads its result, given the whole loss curve and how often it went on elsewhere.
    """

    path: str
    response: type[Message]
    options: Callable[[Any], inversion_pb2.InversionOptions]
    read: Callable[[Any, tuple[float, ...], int], T]


INVERTING: Refining[Inversion] = Refining(
    "InversionService/InvertStream",
    inversion_pb2.InvertStreamResponse,
    lambda request: request.options,
    decoding.inversion,
)
RESTORING: Refining[Restoration] = Refining(
    "RestorationService/RestoreStream",
    restoration_pb2.RestoreStreamResponse,
    lambda request: request.options.inversion,
    decoding.restoration,
)


class RunningRefinement(Generic[T]):
    """One refinement, over as many calls as it takes.

    Args:
        refining: the method that is called.
        request: the first call's.
        on_progress: told of every report.
    """

    def __init__(self, refining: Refining[T], request: Message, on_progress: ProgressCallback | None) -> None:
        self.refining = refining
        self._request = request
        self._on_progress = on_progress
        self._started = time.monotonic()
        self._checkpoint: inversion_pb2.Checkpoint | None = None
        self._resumed_from: inversion_pb2.Checkpoint | None = None
        self._resumed = 0
        self._result: Any = None

    def next_request(self) -> Message:
        """The request of the next call: the first one, or one that goes on from the last checkpoint."""
        if self._checkpoint is None:
            return self._request
        request = type(self._request)()
        request.CopyFrom(self._request)
        options = self.refining.options(request)
        options.checkpoint.CopyFrom(self._checkpoint)
        if options.refinement.HasField("time_budget"):
            self._shorten(options.refinement)
        if self._checkpoint is not self._resumed_from:
            self._resumed_from = self._checkpoint
            self._resumed += 1
        return request

    def progressed(self) -> bool:
        """Whether there is a checkpoint that no call has gone on from yet."""
        return self._checkpoint is not self._resumed_from

    @contextmanager
    def checkpoint_kept(self) -> Iterator[None]:
        """Have every error of ours in the block carry the last checkpoint, if there is one."""
        try:
            yield
        except RelatentError as error:
            if self._checkpoint is not None:
                error.checkpoint = Checkpoint(self._checkpoint)
                error.add_note(
                    f"{self._checkpoint.steps} steps are done: start=error.checkpoint goes on from there"
                )
            raise

    def receive(self, response: Any) -> None:
        """Take in one message of the stream.

        Raises:
            ContractError: a report cannot be read.
        """
        match response.WhichOneof("event"):
            case "result":
                self._result = response.result
            case "progress":
                if response.progress.HasField("checkpoint"):
                    self._checkpoint = response.progress.checkpoint
                if self._on_progress is not None:
                    self._on_progress(decoding.progress(response.progress))

    def result(self) -> T | None:
        """What came of it, once the result has come.

        Raises:
            ContractError: the result cannot be read.
        """
        if self._result is None:
            return None
        before = self._resumed_from.losses if self._resumed_from is not None else ()
        losses = whole_curve(before, self._result.losses, self._result.steps)
        return self.refining.read(self._result, losses, self._resumed)

    def _shorten(self, refinement: inversion_pb2.Refinement) -> None:
        spent = time.monotonic() - self._started
        left = refinement.time_budget.ToNanoseconds() / 1e9 - spent
        refinement.time_budget.CopyFrom(duration(max(left, 0.001)))


def whole_curve(before: Sequence[float], losses: Sequence[float], steps: int) -> tuple[float, ...]:
    """Join the loss curves of an inversion that went on from a checkpoint.

    Args:
        before: the checkpoint's curve.
        losses: the result's: of all the steps, or of those since the checkpoint.
        steps: done in all.

    Returns:
        One loss a step.
    """
    missing = max(0, steps - len(losses))
    return (*before[:missing], *losses)
