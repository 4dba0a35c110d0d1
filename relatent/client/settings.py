"""A client's settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypedDict

from google.protobuf.message import Message

from relatent.client.errors import InputError
from relatent.client.retrying import RetryPolicy, TimeLimit
from relatent.client.tls import Tls
from relatent.client.traffic import traffic_class_of
from relatent.core.access_keys import MOST_KEY_BYTES, sendable
from relatent.core.addresses import DEFAULT_LISTEN, AddressError, parse_address, parse_addresses
from relatent.core.traffic import TrafficClass

DEFAULT_ADDRESS = DEFAULT_LISTEN
DEFAULT_TIMEOUT = 120.0
"""Seconds of a call, all its attempts together."""
DEFAULT_MAX_MESSAGE_BYTES = 32 << 20
"""Bytes of one message, either way; the service's own default."""

MOST_MESSAGE_BYTES = 2**30
"""What the setting may be at most: gRPC counts in 32 bits."""


class AccessOptions(TypedDict, total=False):
    """How a client comes in at a service that does not let in everybody.

    Attributes:
        tls: True for TLS by the authorities that the system trusts, `Tls` for others, or to show a
            certificate; None or False for none. A socket never speaks TLS.
        api_key: what `relatent keys new` printed. It travels by TLS, within this machine, or not at all.
        insecure: True to send the key without TLS all the same, where a network or a proxy sees to it.
    """

    tls: Tls | bool | None
    api_key: str
    insecure: bool


@dataclass(frozen=True)
class ClientSettings:
    """A client's settings.

    Attributes:
        addresses: of servers, as `relatent.core.addresses` writes them.
        timeout: seconds of a call unless it says otherwise, all its attempts together.
        max_message_bytes: bytes of one message, either way; the service's setting of the same name.
        retry: how long to wait between attempts.
        tls: None: without.
        api_key: sent with every call; empty: none.
        traffic_class: of its calls; None: that of its key.
    """

    addresses: Sequence[str]
    timeout: float = DEFAULT_TIMEOUT
    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    tls: Tls | None = None
    api_key: str = field(default="", repr=False)
    traffic_class: TrafficClass | None = None

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What is sent with every call."""
        return (("authorization", f"Bearer {self.api_key}"),) if self.api_key else ()

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
        traffic_class: TrafficClass | str | None,
        access: AccessOptions,
    ) -> ClientSettings:
        """ClientSettings of a client's arguments.

        Raises:
            InputError: no address, one of a form that is not taken, a size or a class that is none, files
                of TLS that cannot be used, a key that cannot be sent, or only in the clear.
        """
        try:
            listed = tuple(map(str, parse_addresses(addresses)))
        except AddressError as error:
            raise InputError(f"addresses: {error}") from error
        if not 1 <= max_message_bytes <= MOST_MESSAGE_BYTES:
            raise InputError(
                f"max_message_bytes: expected 1 to {MOST_MESSAGE_BYTES:,}, got {max_message_bytes:,}"
            )
        settings = cls(listed, timeout, max_message_bytes, retry or RetryPolicy(), **_access(listed, access))
        return settings if traffic_class is None else settings.in_class(traffic_class)

    def in_class(self, traffic_class: TrafficClass | str) -> ClientSettings:
        """The same for calls of a class.

        Raises:
            InputError: there is no such class.
        """
        return replace(self, traffic_class=traffic_class_of(traffic_class))


class _Access(TypedDict):
    tls: Tls | None
    api_key: str


def _access(addresses: Sequence[str], options: AccessOptions) -> _Access:
    if unknown := options.keys() - AccessOptions.__annotations__.keys():
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    asked, key = options.get("tls"), options.get("api_key", "")
    tls = Tls() if asked is True else asked or None
    if tls is not None:
        tls.check()
    if key and not sendable(key):
        raise InputError(
            "api_key: expected what `relatent keys new` printed: letters, digits and signs without spaces, "
            f"{MOST_KEY_BYTES} at most"
        )
    if key and tls is None and not options.get("insecure", False):
        far = next((address for address in addresses if not parse_address(address).local), None)
        if far is not None:
            raise InputError(
                f"tls: expected TLS, as others could read the API key on its way to {far}: set tls=True, or "
                "--tls; insecure=True, or --insecure, sends it all the same"
            )
    return _Access(tls=tls, api_key=key)
