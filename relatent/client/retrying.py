"""When and where a call is tried again.

The logic of a client is written as generators, `Flow`s, that yield what must be done (`Convert`, `Unary`,
`Stream`, `Converse`, `Sleep`) and are sent what came of it. So it exists once, though there are two clients:
it is done with blocking channels by `relatent.client.blocking_transport`, with asyncio's by its
`async_transport`.
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

from relatent.client.errors import (
    CallError,
    ClientStateError,
    ContractError,
    DeadlineError,
    InputError,
    TlsError,
    UnavailableError,
    call_error,
)
from relatent.client.tls import Tls, find_out, looks_cut, told_by_grpc
from relatent.core.addresses import parse_address
from relatent.core.proxies import proxy_hint

logger = logging.getLogger("relatent")
logger.addHandler(logging.NullHandler())

T = TypeVar("T")


@dataclass(frozen=True)
class Convert:
    """Do work of the processor's, such as decoding a picture; send back what it gives."""

    work: Callable[[], Any]


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
class Converse:
    """Call a method that streams both ways; come back at the end.

    Attributes:
        timeout: in seconds, until the first answer; the call itself may last.
        talk: what is to be sent and who receives, of the kind that the transport drives.
    """

    address: str
    path: str
    answer: type[Message]
    timeout: float
    talk: Any


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class UntilWanted:
    """Wait until whoever holds a session has something to say; `talk` is that of its `Converse`."""

    talk: Any


Effect: TypeAlias = Convert | Unary | Stream | Converse | Sleep | UntilWanted
Flow: TypeAlias = Generator[Effect, Any, T]
FAILURES = (grpc.RpcError, ClientStateError, ContractError, DeadlineError, InputError)
"""What a flow is told that an effect failed by. Other `CallError`s are of calls that the caller makes while
told of progress, and are not to be tried again here."""


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


@dataclass(frozen=True)
class TimeLimit:
    """Until when a call may take, all its attempts together.

    Attributes:
        seconds: its timeout.
        end: on the monotonic clock.
    """

    seconds: float
    end: float

    @classmethod
    def of(cls, seconds: float) -> TimeLimit:
        """So many seconds from now."""
        return cls(seconds, time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds; negative when it has passed."""
        return self.end - time.monotonic()

    def sooner(self, seconds: float) -> TimeLimit:
        """One that ends so much earlier."""
        return TimeLimit(self.seconds - seconds, self.end - seconds)


class Addresses:
    """The servers of a client; the one that answered last is asked first.

    Args:
        addresses: where they listen.
        tls: how they are called; None: without TLS.
    """

    def __init__(self, addresses: Sequence[str], tls: Tls | None = None) -> None:
        self.tls = tls
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
    limit: TimeLimit,
    progressed: Callable[[], bool] = lambda: False,
) -> Flow[T]:
    """Try until it goes through, cannot, or the time is up.

    Every address is tried once before waiting, and before it fails for want of TLS that both sides agree on.
    A server that asks to be called later is called no sooner, unless there is another one.

    Args:
        attempt: from an address and the seconds left to one try.
        addresses: where to try.
        policy: how long to wait.
        limit: when to give up.
        progressed: whether the failed try got anywhere; if so, waits begin from the shortest again.

    Raises:
        DeadlineError: the time ran out in an attempt, or between two of which one had got somewhere;
            caused by the refusal before, if there was one.
        CallError: any other failure that is final; the last refusal, where no attempt got anywhere or
            the next one is asked to come too late.
    """
    attempts, failures, asked_wait, got_somewhere = 0, 0, 0.0, False
    refused: CallError | None = None
    while True:
        address = addresses.preferred
        attempts += 1
        try:
            return (yield from attempt(address, max(limit.left, 0.001)))
        except grpc.RpcError as error:
            failure = yield from _explained(call_error(error, address), addresses.tls, limit)
        except CallError as error:
            failure = error
        if isinstance(failure, DeadlineError):
            raise _out_of_time(failure, refused, limit, attempts) from refused
        # Certificates are each server's own: what is wrong with one says nothing of the others.
        elsewhere = isinstance(failure, TlsError) and attempts < len(addresses)
        if not (failure.retriable or elsewhere):
            raise failure
        refused = failure
        new = progressed()
        got_somewhere, failures = got_somewhere or new, 1 if new else failures + 1
        asked_wait = max(asked_wait, failure.retry_after or 0.0)
        round_is_over = failures % len(addresses) == 0
        wait = policy.backoff(failures // len(addresses)) if round_is_over else 0.0
        if wait >= limit.left:
            words = f"time ran out after {limit.seconds:g} s and {attempts} attempts"
            if got_somewhere:
                raise _deadline_error(f"{words}; the last: {failure}", failure) from failure
            failure.add_note(words)
            raise failure
        if round_is_over:
            if asked_wait >= limit.left:
                failure.add_note(
                    f"gave up after {attempts} attempts: asked to come back in {asked_wait:g} s, when the "
                    f"call's {limit.seconds:g} s are over"
                )
                raise failure
            wait, asked_wait = max(wait, asked_wait), 0.0
        addresses.give_up(address)
        logger.warning("%s: %s; trying on until the timeout", address, failure.message)
        if wait:
            yield Sleep(wait)


def _out_of_time(
    failure: DeadlineError, refused: CallError | None, limit: TimeLimit, attempts: int
) -> DeadlineError:
    """What to say of an attempt that the time ran out in: also what was wrong before it."""
    if refused is None:
        return failure
    words = (
        f"time ran out after {limit.seconds:g} s, in attempt {attempts}: {failure.message}; "
        f"the one before: {refused}"
    )
    return _deadline_error(words, refused, failure.address)


def opening_late(effect: Converse) -> DeadlineError:
    """What to say of a server that does not answer the first message of a conversation in time."""
    return DeadlineError(grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time", address=effect.address)


def _deadline_error(message: str, refused: CallError, address: str = "") -> DeadlineError:
    return DeadlineError(
        grpc.StatusCode.DEADLINE_EXCEEDED,
        message,
        reason=refused.reason,
        violations=refused.violations,
        address=address or refused.address,
    )


def _explained(failure: CallError, tls: Tls | None, limit: TimeLimit) -> Flow[CallError]:
    """Name what it may be that failed, TLS or the proxy: a failure with a reason is the service's own."""
    if not isinstance(failure, UnavailableError | DeadlineError) or failure.reason:
        return failure
    address = parse_address(failure.address)
    hint, why = proxy_hint(address), told_by_grpc(failure.message, address)
    if not why and not hint and looks_cut(failure.message, address, tls) and limit.left > 0:
        why = yield Convert(lambda: find_out(address, tls, limit.left))
    words = "; ".join(filter(None, (why or failure.message, hint)))
    if why:
        return TlsError(failure.code, words, address=failure.address)
    failure.message = words
    return failure
