"""What can go wrong with a call, other than the engine's own errors (`relatent_service.engine.engine`).

    ServiceError
    ├── InvalidField            a field of the request is not what it must be
    │   ├── RevisionMismatch    a latent or checkpoint of other weights than the pack's
    │   ├── OutOfDomain         an image that is less plausible than its caller wants to refine
    │   ├── AttributesNotFinite          the attribute network answers no numbers for what is to be edited
    │   ├── UnknownName         a pack or direction that is not there
    │   ├── PackNotAllowed      a pack that the caller's key is not for
    │   └── Diverged            the refinement's loss stopped being finite
    ├── MalformedRequest        the request's bytes are not the message they claim to be
    ├── MessageTooLarge         the request or its answer exceeds the message-size limit
    ├── UnknownMethod           the server has no such method
    ├── NotLetIn                no key to let in: KeyMissing, KeyUnknown, KeyExpired
    ├── OutOfTime               the call's work takes longer than its deadline allows, even alone
    ├── OverWholeQuota          the call asks for more than its key may ever have at once
    └── TryLater
        ├── Overloaded          no slot within the time there is
        ├── QuotaUsed           the caller's key has had what it may have: StepsQuotaUsed, CallsQuotaUsed
        ├── TooManyWrongKeys    from one peer
        ├── NotReady            starting or draining
        ├── NotRead             a stream's answers that nobody reads
        └── SessionIdle         a session whose caller says nothing

`relatent_service.rpc.status` maps them, and the engine's, to gRPC statuses; nothing else does.
"""

from __future__ import annotations


class ServiceError(Exception):
    """A call that cannot be answered, for a reason its caller can be told.

    Attributes:
        reason: stable, UPPER_SNAKE_CASE; what a program may branch on.
        message: for people; names what was expected and what came.
    """

    reason = "INTERNAL"

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if reason is not None:
            self.reason = reason


class InvalidField(ServiceError):
    """A field of the request is not what it must be.

    Attributes:
        field: its full path from the request, such as `options.refinement.steps`.
        description: what was expected and what came.
    """

    reason = "INVALID_FIELD"

    def __init__(self, field: str, description: str, *, reason: str | None = None) -> None:
        super().__init__(f"{field}: {description}", reason=reason)
        self.field = field
        self.description = description


class MessageTooLarge(ServiceError):
    """The request or its answer exceeds the message-size limit."""

    reason = "MESSAGE_TOO_LARGE"


class MalformedRequest(ServiceError):
    """The request's bytes are not the message they claim to be."""

    reason = "MALFORMED_REQUEST"


class RevisionMismatch(InvalidField):
    """A latent or checkpoint belongs to other weights than the pack's."""

    reason = "REVISION_MISMATCH"


class OutOfDomain(InvalidField):
    """An image is less plausible than its caller wants to refine."""

    reason = "OUT_OF_DOMAIN"


class AttributesNotFinite(InvalidField):
    """The attribute network answers no numbers for an image that is to be edited."""

    reason = "ATTRIBUTES_NOT_FINITE"


class UnknownName(InvalidField):
    """Something asked for by name is not there; the description lists what is."""

    reason = "UNKNOWN_NAME"


class PackNotAllowed(InvalidField):
    """The caller's API key is not for this pack; the description lists those that it is for."""

    reason = "PACK_NOT_ALLOWED"


class NotLetIn(ServiceError):
    """A call does not show a key that is let in."""


class KeyMissing(NotLetIn):
    """No API key was sent, or not as `authorization: Bearer KEY`."""

    reason = "KEY_MISSING"


class KeyUnknown(NotLetIn):
    """The API key is none of this service's, or was revoked."""

    reason = "KEY_UNKNOWN"


class KeyExpired(NotLetIn):
    """The API key's time is over."""

    reason = "KEY_EXPIRED"


class UnknownMethod(ServiceError):
    """The server has no such method."""

    reason = "UNKNOWN_METHOD"


class OutOfTime(ServiceError):
    """The call's work takes longer than its deadline allows, whatever else the server does."""

    reason = "TOO_LITTLE_TIME"


class OverWholeQuota(ServiceError):
    """The call asks for more steps than its API key's quota of a whole minute."""

    reason = "STEPS_OVER_QUOTA"


class Diverged(InvalidField):
    """The refinement's loss stopped being finite."""

    reason = "REFINEMENT_DIVERGED"


class TryLater(ServiceError):
    """The call may go through later.

    Attributes:
        retry_seconds: an honest guess of how much later.
    """

    def __init__(self, message: str, retry_seconds: float, *, reason: str | None = None) -> None:
        super().__init__(message, reason=reason)
        self.retry_seconds = retry_seconds


class Overloaded(TryLater):
    """No slot within the time there is."""

    reason = "OVERLOADED"


class QuotaUsed(TryLater):
    """The caller's API key has had what it may have for now."""


class StepsQuotaUsed(QuotaUsed):
    """The API key's quota of steps a minute leaves too few for this call."""

    reason = "STEPS_QUOTA"


class CallsQuotaUsed(QuotaUsed):
    """As many calls of the API key are in flight as its quota allows."""

    reason = "CALLS_QUOTA"


class TooManyWrongKeys(TryLater):
    """Too many API keys from one address were none of this service's."""

    reason = "TOO_MANY_WRONG_KEYS"


class NotReady(TryLater):
    """The server is starting or draining."""

    reason = "NOT_READY"


class NotRead(TryLater):
    """The answers of a stream were not read for too long."""

    reason = "NOT_READ"


class SessionIdle(TryLater):
    """The caller of an editing session sent nothing for too long."""

    reason = "SESSION_IDLE"
