"""When and where a call is tried again.

The logic of a client is written as generators, `Flow`s, that yield what must be done (`Unary`,
`Stream`, `Sleep`) and are sent what came of it. So it exists once, though there are two clients:
`relatent.client` does it with blocking channels, `relatent.aio` with asyncio's.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import grpc
from google.protobuf.message import Message

from relatent.errors import CallError, DeadlineError, call_error

logger = logging.getLogger("relatent")
logger.addHandler(logging.NullHandler())

T = TypeVar("T")


@dataclass(frozen=True)
class Unary:
    """Call a method; send back its answer, or throw what gRPC raised.

    Attributes:
        path: `/package.Service/Method`.
        answer: the class of the answer.
        timeout: in seconds.
    """

    address: str
    path: str
    request: Message
    answer: type[Message]
    timeout: float


@dataclass(frozen=True)
class Stream:
    """Call a method that streams; pass each message on, and come back at the end."""

    address: str
    path: str
    request: Message
    answer: type[Message]
    timeout: float
    receive: Callable[[Any], None]


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


Effect: TypeAlias = Unary | Stream | Sleep
Flow: TypeAlias = Generator[Effect, Any, T]


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait between attempts; they go on until the call's timeout.

    Attributes:
        initial: seconds before the second round over the addresses.
        multiplier: what each further wait is longer by.
        maximum: seconds at most, unless a server asks for more.
        jitter: part of a wait left to chance, so that callers do not come back all at once.
    """

    initial: float = 0.1
    multiplier: float = 2.0
    maximum: float = 5.0
    jitter: float = 0.2

    def backoff(self, failed_rounds: int) -> float:
        """Seconds to wait after so many rounds over the addresses, at least one."""
        seconds = min(self.maximum, self.initial * self.multiplier ** min(failed_rounds - 1, 32))
        return seconds * (1 + random.uniform(-self.jitter, self.jitter))


class Addresses:
    """The servers of a client; the one that answered last is asked first."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = tuple(addresses)
        self._preferred = 0

    def __len__(self) -> int:
        return len(self._addresses)

    @property
    def preferred(self) -> str:
        """The server to ask."""
        return self._addresses[self._preferred]

    def give_up(self, address: str) -> None:
        """Prefer the next server, unless another caller has already turned away from this one."""
        if address == self.preferred:
            self._preferred = (self._preferred + 1) % len(self._addresses)


def retrying(
    attempt: Callable[[str, float], Flow[T]],
    addresses: Addresses,
    policy: RetryPolicy,
    deadline: float,
    progressed: Callable[[], bool] = lambda: False,
) -> Flow[T]:
    """Try until it goes through, cannot, or the time is up.

    Every address is tried once before waiting. A server that asks to be called later is called no
    sooner, unless there is another one.

    Args:
        attempt: from an address and the seconds left to one try.
        addresses: where to try.
        policy: how long to wait.
        deadline: on the monotonic clock.
        progressed: whether the failed try got anywhere; if so, waits begin from the shortest again.

    Raises:
        CallError: the last failure.
    """
    failures, asked_wait = 0, 0.0
    refused: CallError | None = None
    while True:
        address = addresses.preferred
        try:
            return (yield from attempt(address, max(deadline - time.monotonic(), 0.001)))
        except grpc.RpcError as error:
            failure = call_error(error, address)
        except CallError as error:
            failure = error
        if isinstance(failure, DeadlineError) and refused is not None:
            # The last attempt had next to no time; the one before it knows what was wrong.
            raise _given_up(refused, failures)
        if not failure.retriable:
            raise failure
        refused = failure
        failures = 1 if progressed() else failures + 1
        asked_wait = max(asked_wait, failure.retry_after or 0.0)
        wait = 0.0
        if failures % len(addresses) == 0:
            wait, asked_wait = max(policy.backoff(failures // len(addresses)), asked_wait), 0.0
        if time.monotonic() + wait >= deadline:
            raise _given_up(failure, failures)
        addresses.give_up(address)
        logger.warning("%s: %s; trying on until the timeout", address, failure.message)
        if wait:
            yield Sleep(wait)


def _given_up(failure: CallError, attempts: int) -> CallError:
    failure.add_note(f"gave up after {attempts} attempts: the call's time is up")
    return failure
