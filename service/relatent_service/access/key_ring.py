"""The keys that are let in: looked up in a file that may change at any time."""

from __future__ import annotations

import logging
from functools import partial
from hmac import compare_digest
from pathlib import Path

from relatent.core.access_keys import AccessKey, AccessKeysError, digest, read_keys, sendable
from relatent.core.renewed import Renewed
from relatent_service.access.caller import Caller
from relatent_service.errors import KeyExpired, KeyUnknown

log = logging.getLogger(__name__)


class KeyRing:
    """The keys of a file.

    Args:
        path: the file.

    Raises:
        AccessKeysError: it is not what it must be.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = Renewed([path], partial(read_keys, path))
        self._tell()

    def renew(self) -> None:
        """Read the file again if it has changed; where it is not what it must be, the keys stay."""
        try:
            renewed = self._keys.renew()
        except AccessKeysError as error:
            log.error("the keys stay as they were: %s", error)  # noqa: TRY400  # the message says it all
            return
        if renewed:
            self._tell()

    def find(self, secret: str) -> Caller:
        """Whose a key is. It takes equally long for every key that may be sent.

        Raises:
            KeyUnknown: nobody's.
            KeyExpired: of one whose time is over.
        """
        found: AccessKey | None = None
        if sendable(secret):
            sent = digest(secret)
            for key in self._keys.value:
                if compare_digest(key.sha256, sent):
                    found = key
        if found is None:
            raise KeyUnknown("the API key is none of this service's")
        if found.expires is not None and found.expired():
            raise KeyExpired(f"the API key {found.name!r} has expired at {found.expires.isoformat()}")
        packs = None if found.packs is None else frozenset(found.packs)
        return Caller(found.name, packs, found.traffic_class, found.quota)

    def _tell(self) -> None:
        log.info("keys", extra={"file": str(self._path), "keys": len(self._keys.value)})
