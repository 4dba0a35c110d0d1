import asyncio
import base64
import string
import urllib.parse

import grpc
import pytest
from google.rpc import error_details_pb2

from relatent.v1 import inversion_pb2
from relatent_service import errors
from relatent_service.engine.engine import EngineRejected, EngineTimedOut, EngineUnavailable
from relatent_service.rpc import inversion
from relatent_service.rpc.status import abort, code_of, reason_of, status_of
from tests.fixtures.requests import REVISION, image, reason, violated

Code = grpc.StatusCode
CASES = [
    (errors.InvalidField("a.b", "expected c"), Code.INVALID_ARGUMENT, "INVALID_FIELD"),
    (errors.Diverged("a.b", "expected c"), Code.INVALID_ARGUMENT, "REFINEMENT_DIVERGED"),
    (errors.RevisionMismatch("a.b", "expected c"), Code.FAILED_PRECONDITION, "REVISION_MISMATCH"),
    (errors.OutOfDomain("a.b", "expected c"), Code.FAILED_PRECONDITION, "OUT_OF_DOMAIN"),
    (errors.AttributesNotFinite("a.b", "expected c"), Code.FAILED_PRECONDITION, "ATTRIBUTES_NOT_FINITE"),
    (errors.UnknownName("a.b", "none"), Code.NOT_FOUND, "UNKNOWN_NAME"),
    (errors.PackNotAllowed("a.b", "none"), Code.PERMISSION_DENIED, "PACK_NOT_ALLOWED"),
    (errors.KeyMissing("m"), Code.UNAUTHENTICATED, "KEY_MISSING"),
    (errors.KeyUnknown("m"), Code.UNAUTHENTICATED, "KEY_UNKNOWN"),
    (errors.KeyExpired("m"), Code.UNAUTHENTICATED, "KEY_EXPIRED"),
    (errors.TooManyWrongKeys("m", 1.5), Code.RESOURCE_EXHAUSTED, "TOO_MANY_WRONG_KEYS"),
    (errors.StepsQuotaUsed("m", 1.5), Code.RESOURCE_EXHAUSTED, "STEPS_QUOTA"),
    (errors.CallsQuotaUsed("m", 1.5), Code.RESOURCE_EXHAUSTED, "CALLS_QUOTA"),
    (errors.OverWholeQuota("m"), Code.FAILED_PRECONDITION, "STEPS_OVER_QUOTA"),
    (errors.MalformedRequest("m"), Code.INVALID_ARGUMENT, "MALFORMED_REQUEST"),
    (errors.MessageTooLarge("m"), Code.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE"),
    (errors.UnknownMethod("m"), Code.UNIMPLEMENTED, "UNKNOWN_METHOD"),
    (errors.OutOfTime("m"), Code.DEADLINE_EXCEEDED, "TOO_LITTLE_TIME"),
    (errors.Overloaded("m", 1.5), Code.RESOURCE_EXHAUSTED, "OVERLOADED"),
    (errors.NotReady("m", 1.5), Code.UNAVAILABLE, "NOT_READY"),
    (errors.NotRead("m", 1.5), Code.UNAVAILABLE, "NOT_READ"),
    (errors.SessionIdle("m", 1.5), Code.UNAVAILABLE, "SESSION_IDLE"),
    (EngineUnavailable("m"), Code.UNAVAILABLE, "ENGINE_UNAVAILABLE"),
    (EngineTimedOut("m"), Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"),
    (EngineRejected("m"), Code.INTERNAL, "INTERNAL"),
    (RuntimeError("m"), Code.INTERNAL, "INTERNAL"),
]


def subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_error_of_ours_has_a_code_of_its_own():
    covered = {type(error) for error, _, _ in CASES}
    leaves = set(subclasses(errors.ServiceError)) - {errors.TryLater, errors.NotLetIn, errors.QuotaUsed}
    assert leaves <= covered
    assert all(code_of(kind.__new__(kind)) is not Code.INTERNAL for kind in leaves)


@pytest.mark.parametrize(("error", "code", "reason"), CASES)
def test_an_error_has_its_code_reason_and_details(error, code, reason):
    assert (code_of(error), reason_of(error)) == (code, reason)
    status = status_of(error, "id-1")
    assert status.code == code.value[0]
    kinds = {packed.TypeName().rpartition(".")[2]: packed for packed in status.details}
    info = error_details_pb2.ErrorInfo()
    kinds["ErrorInfo"].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (reason, "relatent", {"request_id": "id-1"})
    assert ("BadRequest" in kinds) == isinstance(error, errors.InvalidField)
    assert ("RetryInfo" in kinds) == (code in (Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE))


def test_the_delay_is_the_errors_own():
    status = status_of(errors.Overloaded("m", 1.5), "")
    retry = error_details_pb2.RetryInfo()
    status.details[-1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1500


@pytest.mark.parametrize("letter", ["x", "%", "é", "🙂", "\n"])
def test_a_status_fits_into_headers_however_long_the_message(letter):
    status = status_of(errors.InvalidField(letter * 10_000, letter * 10_000), "x" * 64)
    message = urllib.parse.quote(status.message, safe=string.printable.replace("%", "").rstrip())
    assert 990 <= len(message) <= 1000
    assert status.message.endswith("...")
    assert len(message) + len(base64.b64encode(status.SerializeToString())) < 6000


def test_a_short_message_stays_whole():
    assert status_of(errors.MalformedRequest("größer als 5 %"), "").message == "größer als 5 %"


async def test_a_long_error_in_any_script_reaches_the_caller_with_its_details(running):
    tensors = [inversion_pb2.StateTensor(name="🙂" * 200) for _ in range(16)]
    checkpoint = inversion_pb2.Checkpoint(pack="tiny", revision=REVISION, state=tensors)
    options = inversion_pb2.InversionOptions(checkpoint=checkpoint)
    with pytest.raises(grpc.RpcError) as caught:
        await running.inversion.Invert(
            inversion_pb2.InvertRequest(image=image(), options=options), timeout=10
        )
    assert caught.value.code() is Code.INVALID_ARGUMENT
    assert violated(caught.value) == "options.checkpoint.state"


async def test_a_long_error_of_ours_in_any_script_reaches_the_caller(running, monkeypatch):
    """Whatever the message quotes: names in a pack, for one, are not cut."""

    def refuse(*_):
        raise errors.InvalidField("🙂" * 5000, "ü%" * 5000)

    monkeypatch.setattr(inversion, "read_inversion", refuse)
    with pytest.raises(grpc.RpcError) as caught:
        await running.inversion.Invert(inversion_pb2.InvertRequest(image=image()), timeout=10)
    assert caught.value.code() is Code.INVALID_ARGUMENT
    assert reason(caught.value) == "INVALID_FIELD"


async def test_a_caller_that_hangs_up_while_it_is_told_its_error_ends_the_call_as_cancelled():
    """Whatever else a handler raises, gRPC logs as a fault, with a traceback."""

    class Gone:
        async def abort(self, *_):
            raise grpc.aio.InternalError('Failed "execute_batch"')

    with pytest.raises(asyncio.CancelledError):
        await abort(Gone(), errors.NotReady("m", 1.0), "one")
