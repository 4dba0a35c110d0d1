"""A client's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from relatent.client.errors import InputError
from relatent.client.retrying import RetryPolicy, TimeLimit
from relatent.core.addresses import DEFAULT_LISTEN, AddressError, parse_addresses

DEFAULT_ADDRESS = DEFAULT_LISTEN
DEFAULT_TIMEOUT = 120.0
"""Seconds of a call, all its attempts together."""
DEFAULT_MAX_MESSAGE_BYTES = 32 << 20
"""Bytes of one message, either way; the service's own default."""

MOST_MESSAGE_BYTES = 2**30
"""What the setting may be at most: gRPC counts in 32 bits."""


@dataclass(frozen=True)
class ClientSettings:
    """A client's settings.

    Attributes:
        addresses: of servers, as `relatent.core.addresses` writes them.
        timeout: seconds of a call unless it says otherwise, all its attempts together.
        max_message_bytes: bytes of one message, either way; the service's setting of the same name.
        retry: how long to wait between attempts.

    Raises:
        InputError: no address, one of a form that is not taken, or a size that is none.
    """

    addresses: Sequence[str]
    timeout: float = DEFAULT_TIMEOUT
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    retry: RetryPolicy = field(default_factory=RetryPolicy)

    def limit(self, timeout: float | None) -> TimeLimit:
        """Until when a call that begins now may take; the client's timeout unless one is given.

        Raises:
            InputError: it is not above 0.
        """
        seconds = self.timeout if timeout is None else timeout
        if not seconds > 0:
            raise InputError(f"timeout: expected more than 0 seconds, got {seconds}")
        return TimeLimit.of(seconds)

    def check_size(self, request: Message) -> None:
        """Make sure that a message can be sent.

        Raises:
            InputError: it is too large.
        """
        size, limit = request.ByteSize(), self.max_message_bytes
        if size > limit:
            raise InputError(f"the request has {size:,} bytes; max_message_bytes is {limit:,}")

    @classmethod
    def of(
        cls,
        addresses: str | Sequence[str],
        timeout: float,
        max_message_bytes: int,
        retry: RetryPolicy | None,
    ) -> ClientSettings:
        """ClientSettings of a client's arguments."""
        try:
            listed = tuple(map(str, parse_addresses(addresses)))
        except AddressError as error:
            raise InputError(f"addresses: {error}") from error
        if not 1 <= max_message_bytes <= MOST_MESSAGE_BYTES:
            raise InputError(
                f"max_message_bytes: expected 1 to {MOST_MESSAGE_BYTES:,}, got {max_message_bytes:,}"
            )
        return cls(listed, timeout, max_message_bytes, retry or RetryPolicy())
