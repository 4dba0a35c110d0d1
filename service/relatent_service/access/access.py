"""All that decides who may talk to a server, as its settings ask for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from relatent_service.access.certificates import CertificateFiles, ServedCertificate
from relatent_service.access.door import Door
from relatent_service.access.key_ring import KeyRing
from relatent_service.access.watched import Renewable


@dataclass(frozen=True)
class Access:
    """Who may talk to a server; whoever comes, unless told otherwise.

    Attributes:
        certificate: that it shows; None: it speaks no TLS.
        keys: that it lets in; None: it asks for none.
        door: lets callers in by them.
    """

    certificate: ServedCertificate | None = None
    keys: KeyRing | None = None
    door: Door = field(default_factory=Door)

    @classmethod
    def of(cls, files: CertificateFiles | None, api_keys: Path | None) -> Access:
        """Access as files have it.

        Raises:
            UnusableCertificate: those of the certificate cannot be used.
            AccessKeysError: that of the keys cannot be used.
        """
        certificate = None if files is None else ServedCertificate(files)
        keys = None if api_keys is None else KeyRing(api_keys)
        return cls(certificate, keys, Door(keys))

    @property
    def watched(self) -> list[Renewable]:
        """What may change on disk."""
        return [one for one in (self.certificate, self.keys) if one is not None]
