"""What went wrong, as sentences for whoever sits before the page: what it is and what would do."""

from __future__ import annotations

import math

from relatent.client.errors import (
    CallError,
    ContractError,
    DeadlineError,
    InputError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RelatentError,
    ServerError,
    TlsError,
    UnauthenticatedError,
    UnavailableError,
    UnimplementedError,
)

OURS = "Something went wrong on the page itself. What exactly is in the log of `relatent playground`."


def sentence(error: RelatentError) -> str:
    """An error in words that need no knowledge of the service.

    Returns:
        One sentence or two, plain text.
    """
    match error:
        case CallError():
            return _of_call(error)
        case InputError():
            return f"This cannot be used: {_told(str(error))}."
        case ContractError():
            return (
                "The service answered something this page does not understand: it may be of another version."
            )
        case _:
            return f"That did not work: {_told(str(error))}."


def _of_call(error: CallError) -> str:
    match error.reason:
        case "DRAINING":
            return "The service is shutting down and takes no new work. Try again when one is up again."
        case "NOT_READY":
            return f"The service is still starting. Try again {_later(error)}."
        case "ENGINE_UNAVAILABLE":
            return (
                "The service is there, but the engine that runs its models (Triton) does not answer. "
                f"What was done so far is kept; try again {_later(error)}."
            )
        case "OUT_OF_DOMAIN":
            return f"This picture is too unlike those that the model knows: {_told(error.message)}."
        case "IMAGE_MISSING":
            return "There is no picture yet: choose one first."
    match error:
        case OverloadedError() if error.retriable:
            return f"The service is busy with other pictures. Try again {_later(error)}."
        case UnavailableError():
            return f"No service answers at {error.address}. Start one with `relatent serve`, and try again."
        case TlsError():
            return f"There is no safe connection to the service: {_told(error.message)}."
        case UnauthenticatedError():
            return (
                "The service wants an API key that it knows: start `relatent playground` with one in a file, "
                "by `--api-key-file`."
            )
        case PermissionDeniedError():
            return f"The API key of this page does not allow that: {_told(error.message)}."
        case DeadlineError():
            return "The service did not finish in time. Try again, or ask for fewer steps."
        case UnimplementedError():
            return "This service cannot do that: it is another one than the page expects, or an older one."
        case NotFoundError():
            return f"The service does not have that (any more): {_told(error.message)}. Load the page again."
        case ServerError():
            return "The service failed at this: its log says why."
    return f"The service refuses this: {_told(error.message)}."


def _later(error: CallError) -> str:
    if error.retry_after is None:
        return "in a little while"
    seconds = max(1, math.ceil(error.retry_after))
    return "in a second" if seconds == 1 else f"in {seconds} seconds"


def _told(message: str) -> str:
    """A message within a sentence: without the path of the field, which is a program's."""
    first, colon, rest = message.partition(": ")
    if colon and rest and " " not in first:
        message = rest
    return message.strip().rstrip(".")
