"""The service behind the page: one client for all who look at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from relatent.client.blocking import Client
from relatent.client.catalog import Catalog, PackInfo
from relatent.client.retrying import RetryPolicy
from relatent.client.settings import AccessOptions
from relatent.core.traffic import TrafficClass

AT_ONCE = RetryPolicy(initial=3600.0, maximum=3600.0, jitter=0.0)
"""Other addresses are tried at once, and nothing is waited for: whoever sits before the page is told, and
decides."""
PATIENCE_SECONDS = 5.0
"""Of finding a service again that went away while somebody moves a slider."""
LOOK_SECONDS = 3.0
"""Of asking what there is."""


class Connection:
    """Knows where the service is, and what it had when it was last asked.

    Args:
        addresses: of the service, as `Client` takes them.
        timeout: seconds of a call.
        max_message_bytes: of one message, as the service has it.
        access: how to come in at the service.

    Attributes:
        client: tries every address once, and tells what is wrong.
        patient: for sessions, which are opened again where their server is lost.
    """

    def __init__(
        self, addresses: Sequence[str], timeout: float, max_message_bytes: int, access: AccessOptions
    ) -> None:
        self.client = Client(
            addresses,
            timeout=timeout,
            max_message_bytes=max_message_bytes,
            retry=AT_ONCE,
            traffic_class=TrafficClass.INTERACTIVE,
            **access,
        )
        self.patient = Client(
            addresses,
            timeout=PATIENCE_SECONDS,
            max_message_bytes=max_message_bytes,
            traffic_class=TrafficClass.INTERACTIVE,
            **access,
        )
        self._catalog: Catalog | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Let go of the service."""
        self.client.close()
        self.patient.close()

    def look(self) -> Catalog:
        """Ask the service what it has.

        Raises:
            CallError: it does not answer, or refuses.
        """
        self._catalog = self.client.catalog(timeout=LOOK_SECONDS)
        return self._catalog

    def pack(self, name: str) -> PackInfo:
        """What a pack was when the service was last asked."""
        catalog = self._catalog or self.look()
        return catalog.packs[name]
