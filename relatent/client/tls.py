"""How a client knows the service, and the service the client: TLS, and what went wrong with it."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from relatent.client.errors import InputError
from relatent.core.addresses import Address
from relatent.core.credentials import (
    CertificatePair,
    CredentialFileError,
    read_pair,
    read_roots,
    system_roots,
)

_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Tls:
    """TLS to the service: by whom it is known, and by what it knows this client.

    It holds paths alone, so it can be pickled and printed. The files are read when a client first connects to
    an address.

    Attributes:
        roots: a file of certificates, in PEM, that vouch for the service; None: those that the system trusts.
        certificate: a file with the client's certificate, in PEM, where the service asks for one.
        key: a file with its private key, in PEM, without a passphrase.
    """

    roots: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None

    def check(self) -> None:
        """Make sure that the files can be used.

        Raises:
            InputError: they cannot; names the file, and what was expected of it.
        """
        self._read()

    def credentials(self) -> grpc.ChannelCredentials:
        """What a channel takes.

        Raises:
            InputError: the files cannot be used.
        """
        roots, pair = self._read()
        if pair is None:
            return grpc.ssl_channel_credentials(roots)
        return grpc.ssl_channel_credentials(roots, pair.key, pair.certificate)

    def context(self) -> ssl.SSLContext:
        """The same for Python's own sockets, by which is found out what gRPC does not tell.

        Raises:
            InputError: the files cannot be used.
        """
        roots, _ = self._read()
        context = ssl.create_default_context(
            cadata=None if roots is None else roots.decode("ascii", "ignore")
        )
        if self.certificate is not None and self.key is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def _read(self) -> tuple[bytes | None, CertificatePair | None]:
        if (self.certificate is None) != (self.key is None):
            given, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise InputError(f"tls.{given}: expected tls.{missing} as well")
        try:
            roots = system_roots() if self.roots is None else read_roots(Path(self.roots))
            if self.certificate is None or self.key is None:
                return roots, None
            return roots, read_pair(Path(self.certificate), Path(self.key))
        except CredentialFileError as error:
            raise InputError(f"tls.{error.part}: {error}") from error


def told_by_grpc(message: str, address: Address) -> str:
    """What is wrong between two who do not agree on TLS, and the cure, as far as gRPC's own message tells.

    Returns:
        A sentence; empty where the message is of something else.
    """
    if "CERTIFICATE_VERIFY_FAILED" in message:
        why = message.partition("CERTIFICATE_VERIFY_FAILED: ")[2].removesuffix(": OK")
        if "expired" in why or "not yet valid" in why:
            return f"the service's certificate is not valid now: {why}; it must be renewed there"
        return (
            f"the service's certificate is not vouched for: {why}; set tls=Tls(roots=…), or --tls-ca, to the "
            "certificate of the authority that issued it"
        )
    if "Hostname Verification Check failed" in message:
        return f"the service's certificate is not for {address.host}; call it by a name that it is for"
    if "WRONG_VERSION_NUMBER" in message:
        return "the service speaks no TLS there; leave tls, or --tls, out, or start it with --tls-certificate"
    return ""


def looks_cut(message: str) -> bool:
    """Whether a connection was cut while it was made, for which gRPC knows no reason."""
    return message.startswith("cannot connect:") and any(
        words in message for words in ("Socket closed", "Connection reset", "handshake failed")
    )


def find_out(address: Address, tls: Tls | None) -> str:
    """What is wrong between two of whom one hangs up while they connect: shake hands once more, and look.

    It takes two seconds at most.

    Args:
        address: where the service listens.
        tls: how it was called; None: without TLS.

    Returns:
        A sentence with the cure; empty where it cannot be told.
    """
    if address.path:
        return ""
    try:
        context = _trusting() if tls is None else tls.context()
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection((address.host, address.port), _LOOK_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=address.host) as connection,
        ):
            if tls is None:
                return "the service speaks TLS; set tls=True or tls=Tls(…), or --tls or --tls-ca"
            connection.recv(1)  # what the service thinks of our certificate comes after the handshake
    except ssl.SSLError as error:
        return _alert(error, tls)
    except OSError:
        return ""
    return ""


def _alert(error: ssl.SSLError, tls: Tls | None) -> str:
    reason = error.reason or ""
    if "ALERT" not in reason or "VERSION" in reason:
        return ""
    if tls is None:  # it got as far as to ask for a certificate, so it speaks TLS
        return "the service speaks TLS; set tls=Tls(…), or --tls or --tls-ca"
    said = reason.partition("ALERT_")[2].lower().replace("_", " ")
    if tls.certificate is None:
        return (
            f"the service asks for a client certificate ({said}); set certificate and key of Tls, or "
            "--tls-certificate and --tls-key"
        )
    return (
        f"the service does not take the client certificate {os.fspath(tls.certificate)} ({said}); an "
        "authority of its --tls-client-ca must have issued it"
    )


def _trusting() -> ssl.SSLContext:
    """Nothing is sent over a connection of it; it only shows whether there is TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
