"""Who is let in."""

from __future__ import annotations

from collections.abc import Iterable

from relatent_service.access.caller import ANYBODY, Caller
from relatent_service.access.key_ring import KeyRing
from relatent_service.access.wrong_keys import WrongKeys
from relatent_service.errors import KeyMissing, KeyUnknown, NotLetIn, ServiceError, TooManyWrongKeys

_HEADER = "authorization"
_SCHEME = "bearer"


class Door:
    """Lets callers in by the key that they show.

    Args:
        keys: that are let in; None: whoever comes.
    """

    def __init__(self, keys: KeyRing | None = None) -> None:
        self._keys = keys
        self._wrong = WrongKeys()

    def admit(self, metadata: Iterable[tuple[str, str | bytes]]) -> Caller:
        """Who a call is from.

        Args:
            metadata: that came with the call.

        Raises:
            NotLetIn: its key is not one to let in, or there is none.
        """
        if self._keys is None:
            return ANYBODY
        shown = [value for key, value in metadata if key == _HEADER]
        if not shown:
            raise KeyMissing("expected an API key: metadata `authorization: Bearer KEY`")
        scheme, _, secret = str(shown[0]).partition(" ")
        if len(shown) > 1 or scheme.lower() != _SCHEME:
            raise KeyMissing("expected one API key: metadata `authorization: Bearer KEY`")
        return self._keys.find(secret.strip())

    def refusal(self, error: NotLetIn, peer: str) -> ServiceError:
        """What a peer is told that was not let in: who has sent many wrong keys is told to wait."""
        if isinstance(error, KeyUnknown) and (seconds := self._wrong.count(peer)):
            return TooManyWrongKeys(
                f"too many wrong API keys from this address; the last one too is none of this service's; "
                f"come again in {seconds:.0f} s",
                seconds,
            )
        return error
