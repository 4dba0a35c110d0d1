"""`python -m relatent_service.probe`: whether the server of this machine serves, for an image's health check.

Exit code 0 if it does. It is asked where RELATENT_LISTEN says, as the server takes it; over TLS, where
RELATENT_TLS_CERTIFICATE is set. With RELATENT_TLS_CLIENT_CA the probe shows the server's own certificate, for
which those authorities must vouch, too.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from relatent.core.addresses import DEFAULT_LISTEN, LOOPBACK, Address, AddressError, parse_address
from relatent.core.credentials import CertificatePair, CredentialFileError, read_pair
from relatent_service.channels import open_blocking_channel

TIMEOUT_SECONDS = 3.0
_HERE = {"0.0.0.0": LOOPBACK, "::": "::1"}


def probe(address: Address, *, tls: bool = False, shown: tuple[Path, Path] | None = None) -> str | None:
    """Ask a server for its health, which is never behind a proxy.

    Args:
        address: where it listens.
        tls: whether it speaks TLS; a socket never does.
        shown: a certificate and its key, where the server asks for one.

    Returns:
        Why it does not serve; None if it does.
    """
    try:
        channel = _tls_channel(address, shown) if tls and not address.path else open_blocking_channel(address)
    except CredentialFileError as error:
        return str(error)
    except OSError as error:  # of TLS as well
        return f"UNAVAILABLE: {error}"
    with channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def _tls_channel(address: Address, shown: tuple[Path, Path] | None) -> grpc.Channel:
    """A channel that takes the certificate which the server shows: on this machine nobody is in between.

    Its names are mostly others than the loopback address, so one of them is put in its place.
    """
    pair = None if shown is None else read_pair(*shown)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    certificate = ssl.DER_cert_to_PEM_cert(_handshake(address, context, shown)[0])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=certificate)
    _, told = _handshake(address, context, shown)
    names = [value for kind, value in told.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    if not names:
        raise ssl.SSLError("the certificate names no host")
    return open_blocking_channel(address, _credentials(certificate, pair), names[0].replace("*", "probe"))


def _handshake(
    address: Address, context: ssl.SSLContext, shown: tuple[Path, Path] | None
) -> tuple[bytes, Mapping[str, tuple[tuple[str, str], ...]]]:
    """The certificate that a server shows: its bytes, and what it says, where it was checked."""
    if shown is not None:
        context.load_cert_chain(*shown)
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((address.host, address.port), TIMEOUT_SECONDS) as plain,
        context.wrap_socket(plain) as connection,
    ):
        told: Mapping[str, tuple[tuple[str, str], ...]] = connection.getpeercert() or {}  # type: ignore[assignment]
        return connection.getpeercert(binary_form=True) or b"", told


def _credentials(certificate: str, pair: CertificatePair | None) -> grpc.ChannelCredentials:
    if pair is None:
        return grpc.ssl_channel_credentials(certificate.encode())
    return grpc.ssl_channel_credentials(certificate.encode(), pair.key, pair.certificate)


def main(environment: Mapping[str, str] = os.environ) -> int:
    """Probe the server; print and tell by the exit code what is wrong."""
    try:
        listen = parse_address(environment.get("RELATENT_LISTEN", DEFAULT_LISTEN))
    except AddressError as error:
        print(f"RELATENT_LISTEN: {error}", file=sys.stderr)
        return 2
    address = replace(listen, host=_HERE.get(listen.host, listen.host))
    certificate = environment.get("RELATENT_TLS_CERTIFICATE", "")
    asked = bool(environment.get("RELATENT_TLS_CLIENT_CA"))
    pair = (Path(certificate), Path(environment.get("RELATENT_TLS_KEY", ""))) if asked else None
    reason = probe(address, tls=bool(certificate), shown=pair)
    if reason is not None:
        print(reason, file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    raise SystemExit(main())
