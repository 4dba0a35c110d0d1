"""What can go wrong between a caller and a server, as one tree of exceptions.

RelatentError                   checkpoint: where an inversion that failed can be gone on with
├── InputError                  what was handed in cannot be sent; nothing was (also a ValueError)
│   └── LatentFileError         a file that holds no usable latent code
├── ClientStateError            the client is closed, or forked while in use (also a RuntimeError)
├── ContractError               the server's answer breaks the contract
└── CallError                   the call failed: code, reason, violations, retry_after, address
    ├── InvalidArgumentError    INVALID_ARGUMENT, OUT_OF_RANGE: a field of the request is wrong
    ├── UnauthenticatedError    UNAUTHENTICATED: no API key, or one that the service does not know
    ├── PermissionDeniedError   PERMISSION_DENIED: the API key is not for this pack
    ├── NotFoundError           NOT_FOUND: no such pack, direction, ...
    ├── PreconditionError       FAILED_PRECONDITION: a latent code of other weights, ...
    ├── OverloadedError         RESOURCE_EXHAUSTED: no place, a quota that is used, a message too large
    ├── UnavailableError        UNAVAILABLE, CANCELLED: no server reached, or it went away
    ├── TlsError                UNAVAILABLE: client and service do not agree on TLS
    ├── DeadlineError           DEADLINE_EXCEEDED: no answer in time
    ├── UnimplementedError      UNIMPLEMENTED: the server is another one, or older
    └── ServerError             INTERNAL, UNKNOWN, DATA_LOSS and all others: a fault of the server

Every one of them can be pickled and copied whole, so that it comes back from a worker process as it
was raised there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from relatent.v1 import types_pb2

if TYPE_CHECKING:
    from relatent.client.results import Checkpoint

E = TypeVar("E", bound=BaseException)

_DETAILS_KEY = "grpc-status-details-bin"
_LOST_STATUS = "Internal error from Core"
"""What gRPC's asyncio half says, in place of the status that came, of a stream that ends as it writes."""
_OF_TLS = re.compile(r"last error: \w+: \S+: (.*(?:handshake failed|Verification Check failed).*)", re.DOTALL)


@dataclass(frozen=True)
class FieldViolation:
    """A field of the request that the server refused.

    Attributes:
        field: its path, such as `options.refinement.steps`.
        description: what is wrong and what was expected.
    """

    field: str
    description: str


class RelatentError(Exception):
    """Anything that Relatent's client raises of its own.

    Attributes:
        checkpoint: of an inversion that failed, alone or in an edit, after it got somewhere: the last
            one that a server sent. With the same image and options, `start=error.checkpoint` goes on.
    """

    checkpoint: Checkpoint | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        state = self.__dict__.copy()
        # An exception's cause is no part of its dictionary. One that is not ours may not be picklable.
        if isinstance(self.__cause__, RelatentError):
            state["__cause__"] = self.__cause__
        return _remake, (type(self), self.args), state


class InputError(RelatentError, ValueError):
    """What was handed in cannot be sent; nothing was sent."""


class LatentFileError(InputError):
    """A file holds no usable latent code."""


class ClientStateError(RelatentError, RuntimeError):
    """The client is closed, or belongs to the process that this one was forked from."""


class ContractError(RelatentError):
    """The server's answer breaks the contract."""


class CallError(RelatentError):
    """A call failed.

    Attributes:
        code: the gRPC status.
        message: what the server, or gRPC itself, says.
        reason: a stable UPPER_SNAKE word from the server's ErrorInfo; empty where it sent none.
        violations: the fields at fault, where the server named any.
        retry_after: seconds after which the server asks to be called again; None where it did not.
        address: the server called.
        change: the number of the change that was refused, where a session goes on without it.
    """

    change: int | None = None

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        violations: Iterable[FieldViolation] = (),
        retry_after: float | None = None,
        address: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.address = address

    @property
    def retriable(self) -> bool:
        """Whether the same call may go through later or elsewhere. Every call may be repeated."""
        return False

    def __str__(self) -> str:
        told = [f"{v.field}: {v.description}" for v in self.violations if v.description not in self.message]
        where = f" ({self.address})" if self.address and self.retriable else ""
        return "; ".join([self.message or self.code.name, *told]) + where


class InvalidArgumentError(CallError):
    """A field of the request is wrong; see `violations`."""


class UnauthenticatedError(CallError):
    """The service wants an API key that it knows; see `reason`: KEY_MISSING, KEY_UNKNOWN or KEY_EXPIRED."""


class PermissionDeniedError(CallError):
    """The API key is not for this pack."""


class NotFoundError(CallError):
    """The server has no such pack or direction."""


class PreconditionError(CallError):
    """The request does not fit the server's packs, or is more than the API key may have at once."""


class OverloadedError(CallError):
    """The server has no place, the API key has had its quota, or a message was too large."""

    @property
    def retriable(self) -> bool:
        """Only with a time to come back: gRPC refuses messages that are too large by the same code.

        A wrong API key will be wrong then, too.
        """
        return self.retry_after is not None and self.reason != "TOO_MANY_WRONG_KEYS"


class UnavailableError(CallError):
    """No server could be reached, or it went away during the call."""

    @property
    def retriable(self) -> bool:
        """Always."""
        return True


class TlsError(CallError):
    """Client and service do not agree on TLS; the message names what is wrong, and the cure."""


class DeadlineError(CallError):
    """No answer within the call's timeout; where an attempt before was refused, caused by that error."""


class UnimplementedError(CallError):
    """The server does not know the method."""


class ServerError(CallError):
    """A fault of the server."""


_CLASSES: dict[grpc.StatusCode, type[CallError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgumentError,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgumentError,
    grpc.StatusCode.UNAUTHENTICATED: UnauthenticatedError,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDeniedError,
    grpc.StatusCode.NOT_FOUND: NotFoundError,
    grpc.StatusCode.FAILED_PRECONDITION: PreconditionError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: OverloadedError,
    grpc.StatusCode.UNAVAILABLE: UnavailableError,
    # A call that the client gives up never gets here, so it was the server that cancelled: it stops.
    grpc.StatusCode.CANCELLED: UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineError,
    grpc.StatusCode.UNIMPLEMENTED: UnimplementedError,
}


def _remake(kind: type[E], args: tuple[Any, ...]) -> E:
    """An exception without its constructor, which may want more than `args`; the rest is its state."""
    return kind.__new__(kind, *args)


def call_error(error: grpc.RpcError, address: str) -> CallError:
    """Make an exception of what gRPC raised.

    Args:
        error: from a channel of either kind, grpc or grpc.aio.
        address: the server called.
    """
    code, told = error.code(), error.details() or ""
    if code is grpc.StatusCode.INTERNAL and told.startswith(_LOST_STATUS):
        code, told = grpc.StatusCode.UNAVAILABLE, "the server ended the stream while it was written to"
    return _call_error(code, _message(told), _details(error), address)


def refusal_error(refusal: types_pb2.Refusal, address: str) -> CallError:
    """Make an exception of a refusal within a call that goes on."""
    code = next((code for code in grpc.StatusCode if code.value[0] == refusal.code), grpc.StatusCode.UNKNOWN)
    return _call_error(code, refusal.message, refusal.details, address)


def _call_error(
    code: grpc.StatusCode, message: str, details: Iterable[any_pb2.Any], address: str
) -> CallError:
    reason, violations, retry_after = "", [], None
    for detail in details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            reason = info.reason
        elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            violations = [FieldViolation(v.field, v.description) for v in bad.field_violations]
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return _CLASSES.get(code, ServerError)(
        code,
        message,
        reason=reason,
        violations=violations,
        retry_after=retry_after,
        address=address,
    )


def _message(details: str) -> str:
    if details.startswith("failed to connect to all addresses"):
        # What went wrong with TLS is told at some length; else its last words say all.
        whole = _OF_TLS.search(details)
        return f"cannot connect: {whole[1] if whole else details.rpartition(': ')[2]}"
    return "no answer in time" if "Deadline Exceeded" in details else details


def _details(error: grpc.RpcError) -> list[any_pb2.Any]:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY:
            try:
                return list(status_pb2.Status.FromString(value).details)
            except DecodeError:
                return []
    return []
