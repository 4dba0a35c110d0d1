"""What clients of both kinds hold from their making to their end: settings, and connections made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar, Unpack

from relatent.client.flows import Flows
from relatent.client.retrying import RetryPolicy
from relatent.client.settings import (
    DEFAULT_ADDRESS,
    DEFAULT_MAX_MESSAGE_BYTES,
    DEFAULT_TIMEOUT,
    AccessOptions,
    ClientSettings,
)
from relatent.core.traffic import TrafficClass


class Transport(Protocol):
    """What drives a client's flows."""

    def check_open(self) -> None:
        """Make sure that it was not closed.

        Raises:
            ClientStateError: it was.
        """


R = TypeVar("R", bound=Transport)


class HeldConnections(Generic[R]):
    """The part of a client that makes no calls; `relatent.Client` says what its arguments are."""

    _transport_kind: ClassVar[type[Any]]
    """That of R."""

    def __init__(
        self,
        addresses: str | Sequence[str] = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        retry: RetryPolicy | None = None,
        traffic_class: TrafficClass | str | None = None,
        **access: Unpack[AccessOptions],
    ) -> None:
        self._set_up(ClientSettings.of(addresses, timeout, max_message_bytes, retry, traffic_class, access))

    def _set_up(self, settings: ClientSettings, sharing: Self | None = None) -> None:
        self._settings = settings
        self._flows: Flows = Flows(settings, None if sharing is None else sharing._flows.addresses)
        self._transport: R = self._transport_kind(settings) if sharing is None else sharing._transport

    def __getstate__(self) -> ClientSettings:
        self._transport.check_open()
        return self._settings

    def __setstate__(self, settings: ClientSettings) -> None:
        self._set_up(settings)

    def in_class(self, traffic_class: TrafficClass | str) -> Self:
        """The same client for calls of a class: `client.in_class("bulk").invert(...)`.

        Both share connections: they are closed together, whichever is closed.

        Args:
            traffic_class: `interactive` where somebody waits for the calls, `bulk` where nobody does.

        Raises:
            InputError: there is no such class.
        """
        other = type(self).__new__(type(self))
        other._set_up(self._settings.in_class(traffic_class), self)
        return other
