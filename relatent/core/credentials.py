"""Certificates and keys in files: read, and checked to be usable, for clients and for the service."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from relatent.core.files import read_file

MOST_BYTES = 4 << 20
"""Of such a file; a system's whole list of authorities has about 0.2 MiB."""
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
GRPC_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"
_READS = 5
"""How often two files are looked at that are just being renewed."""


class CredentialPart(StrEnum):
    """What a file is for."""

    ROOTS = "roots"
    CERTIFICATE = "certificate"
    KEY = "key"


class CredentialFileError(ValueError):
    """A file that is no usable certificate or key; the message names it, and holds nothing of it.

    Attributes:
        part: what it was to be.
    """

    def __init__(self, part: CredentialPart, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.part = part


class HalfPairError(ValueError):
    """A certificate without its key, or a key without its certificate.

    Attributes:
        given: what is there.
        missing: what is not.
    """

    def __init__(self, given: CredentialPart, missing: CredentialPart) -> None:
        super().__init__(f"{given}: expected {missing} as well")
        self.given, self.missing = given, missing


@dataclass(frozen=True)
class CertificatePair:
    """A certificate with those that vouch for it, and its private key; both in PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


def read_files(
    roots: Path | None, certificate: Path | None, key: Path | None
) -> tuple[bytes | None, CertificatePair | None]:
    """Read what one end of a connection is given: by whom the other is known, and what it shows itself.

    Args:
        roots: certificates of authorities; None: those that this system trusts.
        certificate: that is shown; None: none.
        key: its private key.

    Returns:
        Authorities, or None to leave them to gRPC; and what is shown, or None.

    Raises:
        HalfPairError: a certificate or a key alone.
        CredentialFileError: a file cannot be used.
    """
    if certificate is None and key is not None:
        raise HalfPairError(CredentialPart.KEY, CredentialPart.CERTIFICATE)
    if certificate is not None and key is None:
        raise HalfPairError(CredentialPart.CERTIFICATE, CredentialPart.KEY)
    known = system_roots() if roots is None else read_roots(roots)
    return known, None if certificate is None or key is None else read_pair(certificate, key)


def read_pair(certificate: Path, key: Path) -> CertificatePair:
    """Read a certificate and its key.

    Raises:
        CredentialFileError: one of them is unusable, or they do not belong together.
    """
    for _ in range(_READS):
        pair = _read_both(certificate, key)
        _check_pair(pair, certificate, key)
        # OpenSSL has read the files by itself, so what was checked need not be what was read before.
        if pair == _read_both(certificate, key):
            return pair
    raise CredentialFileError(CredentialPart.KEY, key, f"changes, or {certificate} does, whenever it is read")


def _read_both(certificate: Path, key: Path) -> CertificatePair:
    return CertificatePair(
        _read(CredentialPart.CERTIFICATE, certificate, b"BEGIN CERTIFICATE-----", "a certificate in PEM"),
        _read(CredentialPart.KEY, key, b"PRIVATE KEY-----", "a private key in PEM"),
    )


def read_roots(path: Path) -> bytes:
    """Read the certificates of authorities, in PEM.

    Raises:
        CredentialFileError: the file holds none.
    """
    data = _read(CredentialPart.ROOTS, path, b"BEGIN CERTIFICATE-----", "certificates in PEM")
    _check_certificates(CredentialPart.ROOTS, path, data)
    return data


def system_roots(environment: Mapping[str, str] = os.environ) -> bytes | None:
    """The authorities that this system trusts, in PEM.

    They are where `SSL_CERT_FILE` says, else where Python or the system's distribution keeps them.

    Returns:
        None to leave it to gRPC, which has a list of its own: where the system has none, or where
        `GRPC_DEFAULT_SSL_ROOTS_FILE_PATH` names one.
    """
    if environment.get(GRPC_ROOTS):
        return None
    named = environment.get("SSL_CERT_FILE")
    for path in filter(None, (named, ssl.get_default_verify_paths().cafile, *_BUNDLES)):
        try:
            return read_roots(Path(path))
        except CredentialFileError:
            if path == named:
                raise
    return None


def _read(part: CredentialPart, path: Path, mark: bytes, expected: str) -> bytes:
    try:
        data = read_file(path, MOST_BYTES)
    except OSError as error:
        raise CredentialFileError(part, path, error.strerror or str(error)) from error
    if mark not in data:
        raise CredentialFileError(part, path, f"expected {expected}")
    return data


def _check_pair(pair: CertificatePair, certificate: Path, key: Path) -> None:
    _check_certificates(CredentialPart.CERTIFICATE, certificate, pair.certificate)
    if b"ENCRYPTED" in pair.key:
        raise CredentialFileError(CredentialPart.KEY, key, "expected a private key without a passphrase")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=_no_passphrase)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            why = f"does not belong to the certificate {certificate}"
            raise CredentialFileError(CredentialPart.KEY, key, why) from error
        why = f"cannot be used with {certificate}: {error.reason or error}"
        raise CredentialFileError(CredentialPart.KEY, key, why) from error
    except (OSError, ValueError) as error:
        raise CredentialFileError(CredentialPart.KEY, key, str(error)) from error


def _check_certificates(part: CredentialPart, path: Path, data: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=data.decode("ascii", "ignore"))
    except ssl.SSLError as error:
        raise CredentialFileError(
            part, path, f"expected a certificate in PEM: {error.reason or error}"
        ) from error


def _no_passphrase() -> str:
    """Else OpenSSL would ask at the terminal."""
    raise ValueError("expected a private key without a passphrase")
