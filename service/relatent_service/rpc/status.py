"""Every error as a gRPC status with `google.rpc` details. The one place where the two meet.

| Error | Code | Details besides ErrorInfo |
|---|---|---|
| InvalidField, Diverged | INVALID_ARGUMENT | BadRequest |
| MalformedRequest, MessageTooLarge | INVALID_ARGUMENT | |
| RevisionMismatch, OutOfDomain, AttributesNotFinite | FAILED_PRECONDITION | BadRequest |
| OverWholeQuota | FAILED_PRECONDITION | |
| UnknownName | NOT_FOUND | BadRequest |
| PackNotAllowed | PERMISSION_DENIED | BadRequest |
| KeyMissing, KeyUnknown, KeyExpired | UNAUTHENTICATED | |
| UnknownMethod | UNIMPLEMENTED | |
| Overloaded, QuotaUsed, TooManyWrongKeys | RESOURCE_EXHAUSTED | RetryInfo |
| NotReady, NotRead, SessionIdle, EngineUnavailable | UNAVAILABLE | RetryInfo |
| EngineTimedOut, OutOfTime | DEADLINE_EXCEEDED | |
| anything else | INTERNAL | |

ErrorInfo carries the error's reason, the domain `relatent` and the request's identifier.
"""

from __future__ import annotations

import asyncio
import re
import uuid

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from relatent.v1 import types_pb2
from relatent_service.engine.engine import EngineTimedOut, EngineUnavailable
from relatent_service.errors import (
    AttributesNotFinite,
    InvalidField,
    MalformedRequest,
    MessageTooLarge,
    NotLetIn,
    NotRead,
    NotReady,
    OutOfDomain,
    OutOfTime,
    Overloaded,
    OverWholeQuota,
    PackNotAllowed,
    QuotaUsed,
    RevisionMismatch,
    ServiceError,
    SessionIdle,
    TooManyWrongKeys,
    TryLater,
    UnknownMethod,
    UnknownName,
)
from relatent_service.rpc.context import Context

DOMAIN = "relatent"
DETAILS_KEY = "grpc-status-details-bin"
REQUEST_ID_KEY = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
ENGINE_RETRY_SECONDS = 1.0
ABORT_SECONDS = 5.0
"""How long a caller is given to take its status."""
MAX_LENGTH = 1000
"""Of a message, in bytes as it travels: a status goes in headers, which clients limit to 8 KiB in all, and
there whatever is not printable ASCII takes three times its bytes."""

_CODES: tuple[tuple[type[Exception], grpc.StatusCode], ...] = (
    # The first that fits counts.
    (RevisionMismatch, grpc.StatusCode.FAILED_PRECONDITION),
    (OutOfDomain, grpc.StatusCode.FAILED_PRECONDITION),
    (AttributesNotFinite, grpc.StatusCode.FAILED_PRECONDITION),
    (OverWholeQuota, grpc.StatusCode.FAILED_PRECONDITION),
    (PackNotAllowed, grpc.StatusCode.PERMISSION_DENIED),
    (NotLetIn, grpc.StatusCode.UNAUTHENTICATED),
    (UnknownName, grpc.StatusCode.NOT_FOUND),
    (InvalidField, grpc.StatusCode.INVALID_ARGUMENT),
    (MalformedRequest, grpc.StatusCode.INVALID_ARGUMENT),
    (MessageTooLarge, grpc.StatusCode.INVALID_ARGUMENT),
    (UnknownMethod, grpc.StatusCode.UNIMPLEMENTED),
    (Overloaded, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (QuotaUsed, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (TooManyWrongKeys, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (NotReady, grpc.StatusCode.UNAVAILABLE),
    (NotRead, grpc.StatusCode.UNAVAILABLE),
    (SessionIdle, grpc.StatusCode.UNAVAILABLE),
    (EngineUnavailable, grpc.StatusCode.UNAVAILABLE),
    (EngineTimedOut, grpc.StatusCode.DEADLINE_EXCEEDED),
    (OutOfTime, grpc.StatusCode.DEADLINE_EXCEEDED),
)


def code_of(error: Exception) -> grpc.StatusCode:
    """The gRPC code that an error is answered with."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def reason_of(error: Exception) -> str:
    """The stable reason that an error is answered with, UPPER_SNAKE_CASE."""
    if isinstance(error, ServiceError):
        return error.reason
    if isinstance(error, EngineUnavailable):
        return "ENGINE_UNAVAILABLE"
    return "DEADLINE_EXCEEDED" if isinstance(error, EngineTimedOut) else ServiceError.reason


def status_of(error: Exception, request_id: str) -> status_pb2.Status:
    """The whole status that an error is answered with."""
    info = error_details_pb2.ErrorInfo(
        reason=reason_of(error), domain=DOMAIN, metadata={"request_id": request_id}
    )
    details: list[Message] = [info]
    if isinstance(error, InvalidField):
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=_cut(error.field), description=_cut(error.description)
        )
        details.append(error_details_pb2.BadRequest(field_violations=[violation]))
    if (seconds := _retry_seconds(error)) is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(max(1, round(seconds * 1000)))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    number = code_of(error).value[0]
    return status_pb2.Status(
        code=number, message=_cut(_message(error)), details=[_packed(detail) for detail in details]
    )


def refusal(error: Exception, request_id: str) -> types_pb2.Refusal:
    """The same where only a part of a call is refused."""
    return types_pb2.Refusal.FromString(status_of(error, request_id).SerializeToString())


def request_id_of(context: Context) -> str:
    """The caller's own identifier of the call, if it sent a sound one, or a new one."""
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID_KEY and isinstance(value, str) and _REQUEST_ID.fullmatch(value):
            return value
    return uuid.uuid4().hex


async def abort(context: Context, error: Exception, request_id: str) -> None:
    """End a call with an error's status.

    Raises:
        grpc.aio.AbortError: always, if the caller is there to be told.
        asyncio.CancelledError: it is not: it hung up meanwhile, or reads nothing; if it should read on, it
            finds the status.
    """
    status = status_of(error, request_id)
    metadata = ((DETAILS_KEY, status.SerializeToString()), (REQUEST_ID_KEY, request_id))
    try:
        async with asyncio.timeout(ABORT_SECONDS):
            await context.abort(code_of(error), status.message, metadata)
    except (TimeoutError, grpc.aio.InternalError) as gone:
        raise asyncio.CancelledError from gone


def _message(error: Exception) -> str:
    """For the caller; what is our own fault is in the log, not in the answer."""
    if isinstance(error, ServiceError):
        return error.message
    if isinstance(error, EngineUnavailable):
        return "the engine that runs the models does not answer; try again"
    if isinstance(error, EngineTimedOut):
        return "the engine that runs the models did not answer before the deadline"
    return "internal error; the log has more under this request's identifier"


def _retry_seconds(error: Exception) -> float | None:
    if isinstance(error, TryLater):
        return error.retry_seconds
    return ENGINE_RETRY_SECONDS if isinstance(error, EngineUnavailable) else None


def _cut(text: str) -> str:
    if _length(text) <= MAX_LENGTH:
        return text
    room, end = MAX_LENGTH - 3, 0
    while (room := room - _length(text[end])) >= 0:
        end += 1
    return text[:end] + "..."


def _length(text: str) -> int:
    """Bytes of a text in a header: gRPC writes %XX for each that is not printable ASCII, or is a %."""
    data = text.encode(errors="replace")
    return sum(1 if 0x20 <= byte <= 0x7E and byte != 0x25 else 3 for byte in data)


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
