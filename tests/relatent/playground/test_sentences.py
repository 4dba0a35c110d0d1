from __future__ import annotations

import re

import pytest
from grpc import StatusCode as Code

from relatent.client import errors
from relatent.client.errors import CallError, InputError, RelatentError
from relatent.playground.sentences import sentence


def refused(
    kind: type[CallError],
    code: Code,
    reason: str = "",
    message: str = "words",
    retry_after: float | None = None,
) -> CallError:
    return kind(code, message, reason=reason, address="127.0.0.1:8500", retry_after=retry_after)


ALL: list[tuple[RelatentError, str]] = [
    (
        refused(errors.UnavailableError, Code.UNAVAILABLE),
        "No service answers at 127.0.0.1:8500. Start one with `relatent serve`, and try again.",
    ),
    (refused(errors.UnavailableError, Code.UNAVAILABLE, "DRAINING", retry_after=1), "is shutting down"),
    (refused(errors.UnavailableError, Code.UNAVAILABLE, "NOT_READY", retry_after=2), "still starting"),
    (refused(errors.UnavailableError, Code.UNAVAILABLE, "ENGINE_UNAVAILABLE", retry_after=1), "Triton"),
    (
        refused(errors.OverloadedError, Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", retry_after=6.2),
        "The service is busy with other pictures. Try again in 7 seconds.",
    ),
    (refused(errors.DeadlineError, Code.DEADLINE_EXCEEDED), "did not finish in time"),
    (refused(errors.PreconditionError, Code.FAILED_PRECONDITION, "OUT_OF_DOMAIN"), "too unlike those"),
    (
        refused(errors.InvalidArgumentError, Code.INVALID_ARGUMENT, "X", "image.data: expected a picture."),
        "The service refuses this: expected a picture.",
    ),
    (refused(errors.UnimplementedError, Code.UNIMPLEMENTED), "an older one"),
    (refused(errors.NotFoundError, Code.NOT_FOUND), "Load the page again"),
    (refused(errors.ServerError, Code.INTERNAL), "its log says why"),
    (
        refused(errors.TlsError, Code.UNAVAILABLE, message="the service speaks TLS; set tls=True"),
        "There is no safe connection to the service: the service speaks TLS; set tls=True.",
    ),
    (refused(errors.UnauthenticatedError, Code.UNAUTHENTICATED, "KEY_EXPIRED"), "by `--api-key-file`"),
    (
        refused(errors.PermissionDeniedError, Code.PERMISSION_DENIED, "PACK_NOT_ALLOWED"),
        "The API key of this page does not allow that: words.",
    ),
    (InputError("image: expected a picture, got a text file"), "expected a picture, got a text file."),
    (errors.ContractError("image: broken"), "another version"),
    (errors.ClientStateError("the client is closed"), "the client is closed."),
]


@pytest.mark.parametrize(("error", "said"), ALL, ids=lambda value: type(value).__name__)
def test_every_error_is_a_sentence(error: RelatentError, said: str) -> None:
    told = sentence(error)
    assert said in told
    assert re.fullmatch(r"[A-Z][^\n]*\.", told)
    assert not re.search(r"Error|[A-Z]+_[A-Z]+|\.\.", told)


def test_every_kind_of_error_was_tried() -> None:
    def below(kind: type[RelatentError]) -> set[type[RelatentError]]:
        found = {kind}
        for child in kind.__subclasses__():
            found |= below(child) if child.__module__ == errors.__name__ else set()
        return found

    untold = below(RelatentError) - {type(error) for error, _ in ALL}
    assert {kind.__name__ for kind in untold} == {"RelatentError", "CallError", "LatentFileError"}
