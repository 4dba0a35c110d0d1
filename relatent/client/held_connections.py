"""What the blocking client holds from its making to its end: settings, and connections made of them."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self, Unpack

from relatent.client.blocking_transport import BlockingTransport
from relatent.client.flows import Flows
from relatent.client.retrying import RetryPolicy
from relatent.client.settings import (
    DEFAULT_ADDRESS,
    DEFAULT_MAX_MESSAGE_BYTES,
    DEFAULT_TIMEOUT,
    AccessOptions,
    ClientSettings,
)


class HeldConnections:
    """The part of `relatent.Client` that makes no calls; that class says what its arguments are."""

    def __init__(
        self,
        addresses: str | Sequence[str] = DEFAULT_ADDRESS,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
        retry: RetryPolicy | None = None,
        **access: Unpack[AccessOptions],
    ) -> None:
        self._set_up(ClientSettings.of(addresses, timeout, max_message_bytes, retry, access))

    def _set_up(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._flows = Flows(settings)
        self._transport = BlockingTransport(settings)

    def __getstate__(self) -> ClientSettings:
        self._transport.check_open()
        return self._settings

    def __setstate__(self, settings: ClientSettings) -> None:
        self._set_up(settings)

    def close(self) -> None:
        """Let go of the connections of this process; calls under way raise `ClientStateError`."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
