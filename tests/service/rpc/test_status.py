import grpc
import pytest
from google.rpc import error_details_pb2

from service import errors
from service.engine.engine import EngineRejected, EngineTimedOut, EngineUnavailable
from service.rpc.status import code_of, reason_of, status_of

Code = grpc.StatusCode
CASES = [
    (errors.InvalidField("a.b", "expected c"), Code.INVALID_ARGUMENT, "INVALID_FIELD"),
    (errors.Diverged("a.b", "expected c"), Code.INVALID_ARGUMENT, "REFINEMENT_DIVERGED"),
    (errors.RevisionMismatch("a.b", "expected c"), Code.FAILED_PRECONDITION, "REVISION_MISMATCH"),
    (errors.UnknownName("a.b", "none"), Code.NOT_FOUND, "UNKNOWN_NAME"),
    (errors.MalformedRequest("m"), Code.INVALID_ARGUMENT, "MALFORMED_REQUEST"),
    (errors.MessageTooLarge("m"), Code.INVALID_ARGUMENT, "MESSAGE_TOO_LARGE"),
    (errors.UnknownMethod("m"), Code.UNIMPLEMENTED, "UNKNOWN_METHOD"),
    (errors.Overloaded("m", 1.5), Code.RESOURCE_EXHAUSTED, "OVERLOADED"),
    (errors.NotReady("m", 1.5), Code.UNAVAILABLE, "NOT_READY"),
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
    leaves = {kind for kind in subclasses(errors.ServiceError) if kind is not errors.TryLater}
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


def test_a_status_fits_into_headers_however_long_the_message():
    status = status_of(errors.InvalidField("f" * 10_000, "d" * 10_000), "x" * 64)
    assert len(status.message) == 1000
    assert len(status.message) + status.ByteSize() < 6000
