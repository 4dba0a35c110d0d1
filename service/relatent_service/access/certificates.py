"""The service's certificate: read from files, renewed from them, and shown to who connects."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import grpc

from relatent.core.credentials import (
    CertificatePair,
    CredentialFileError,
    CredentialPart,
    read_pair,
    read_roots,
)
from relatent.core.renewed import Renewed
from relatent_service.access.expiry import ends_of

log = logging.getLogger(__name__)


class UnusableCertificate(Exception):
    """A file that the service cannot show, or check callers with; the message names flag and file."""


@dataclass(frozen=True)
class CertificateFiles:
    """Where a certificate is.

    Attributes:
        certificate: with those that vouch for it, in PEM.
        key: its private key, in PEM, without a passphrase.
        client_ca: whose certificates callers must have; None: none is asked for.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.certificate, self.key, self.client_ca) if path is not None]


@dataclass(frozen=True)
class _Loaded:
    """What the files held when they were read."""

    pair: CertificatePair
    client_ca: bytes | None
    ends: datetime
    context: ssl.SSLContext

    def for_grpc(self) -> grpc.ServerCertificateConfiguration:
        return grpc.ssl_server_certificate_configuration(
            [(self.pair.key, self.pair.certificate)], self.client_ca
        )


_FLAGS = {
    CredentialPart.CERTIFICATE: "--tls-certificate",
    CredentialPart.KEY: "--tls-key",
    CredentialPart.ROOTS: "--tls-client-ca",
}


class ServedCertificate:
    """The certificate that the service shows, on all its ports.

    It is renewed when its files change: connections there are stay, new ones get the new one.

    Args:
        files: where it is.

    Raises:
        UnusableCertificate: they cannot be used.
    """

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._loaded = Renewed(files.paths, partial(_load, files))
        self._given: _Loaded = self._loaded.value
        self._tell("certificate")

    def ends(self) -> datetime:
        """When it ends."""
        return self._loaded.value.ends

    def renew(self) -> None:
        """Read the files again if they have changed; where they cannot be used, the certificate stays."""
        try:
            renewed = self._loaded.renew()
        except UnusableCertificate as error:  # also for a moment, while one file of two is renewed
            log.error("the certificate stays as it was: %s", error)  # noqa: TRY400
            return
        if renewed:
            self._tell("renewed certificate")

    def for_grpc(self) -> grpc.ServerCredentials:
        """Credentials of a gRPC server, which asks for a newer certificate at each connection."""
        return grpc.dynamic_ssl_server_credentials(
            self._loaded.value.for_grpc(),
            self._newer,
            require_client_authentication=bool(self._files.client_ca),
        )

    def for_sockets(self) -> ssl.SSLContext:
        """A context for Python's own servers, which shows the newest certificate at each connection."""
        context = self._loaded.value.context

        def choose(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self._loaded.value.context

        context.sni_callback = choose
        return context

    def _newer(self) -> grpc.ServerCertificateConfiguration | None:
        """What gRPC has not been given yet, if anything; called from its threads."""
        if self._given is (loaded := self._loaded.value):
            return None
        self._given = loaded
        return loaded.for_grpc()

    def _tell(self, message: str) -> None:
        ends = self._loaded.value.ends
        level = logging.INFO if ends > datetime.now(UTC) else logging.WARNING
        log.log(level, message, extra={"file": str(self._files.certificate), "ends": ends.isoformat()})


def _load(files: CertificateFiles) -> _Loaded:
    try:
        pair = read_pair(files.certificate, files.key)
        client_ca = None if files.client_ca is None else read_roots(files.client_ca)
        return _Loaded(pair, client_ca, ends_of(pair.certificate), _context(files))
    except CredentialFileError as error:
        raise UnusableCertificate(f"{_FLAGS[error.part]} {error}") from error
    except (OSError, ValueError) as error:  # replaced while being read
        raise UnusableCertificate(f"--tls-certificate {files.certificate}: {error}") from error


def _context(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Nobody comes in by a session of before, whose certificate may not be taken any more.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.load_cert_chain(files.certificate, files.key)
    if files.client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(files.client_ca)
    return context
