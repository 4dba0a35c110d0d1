"""How a client knows the service, and the service the client: TLS, and what went wrong with it."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import grpc

from relatent.client.errors import InputError
from relatent.core.addresses import Address
from relatent.core.credentials import (
    GRPC_ROOTS,
    CertificatePair,
    CredentialFileError,
    HalfPairError,
    read_files,
)
from relatent.core.renewed import Renewed

logger = logging.getLogger("relatent")

_LOOK_SECONDS = 2.0
_SPEAKS = "the service speaks TLS; set tls=True or tls=Tls(…), or --tls or --tls-ca"


@dataclass(frozen=True)
class Tls:
    """TLS to the service: by whom it is known, and by what it knows this client.

    It holds paths alone, so it can be pickled and printed. The files are read when a client first connects to
    an address, and again when they have changed; see `RenewedTls`.

    Attributes:
        roots: a file of certificates, in PEM, that vouch for the service; None: those that the system trusts.
        certificate: a file with the client's certificate, in PEM, where the service asks for one.
        key: a file with its private key, in PEM, without a passphrase.
    """

    roots: str | os.PathLike[str] | None = None
    certificate: str | os.PathLike[str] | None = None
    key: str | os.PathLike[str] | None = None

    @property
    def paths(self) -> list[Path]:
        """The files that are named."""
        return [Path(path) for path in (self.roots, self.certificate, self.key) if path is not None]

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
            cafile=None if roots is not None else os.environ.get(GRPC_ROOTS) or None,
            cadata=None if roots is None else roots.decode("ascii", "ignore"),
        )
        if self.certificate is not None and self.key is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context

    def _read(self) -> tuple[bytes | None, CertificatePair | None]:
        files = (None if path is None else Path(path) for path in (self.roots, self.certificate, self.key))
        try:
            return read_files(*files)
        except HalfPairError as error:
            raise InputError(f"tls.{error.given}: expected tls.{error.missing} as well") from error
        except CredentialFileError as error:
            raise InputError(f"tls.{error.part}: {error}") from error


class RenewedTls:
    """Credentials of TLS as the files are when a call begins.

    Files that cannot be used, or not yet, as one of two is written after the other, leave the credentials as
    they were, with a warning in the log.

    Args:
        tls: where the files are. Authorities that the system trusts are read once.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._read: Renewed[grpc.ChannelCredentials] | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """What a channel takes: another object wherever the files have changed.

        Raises:
            InputError: the files cannot be used, and never could.
        """
        if self._read is None:
            self._read = Renewed(self._tls.paths, self._tls.credentials)
        try:
            self._read.renew()
        except InputError as error:
            logger.warning("the credentials of TLS stay as they were: %s", error)
        return self._read.value


def told_by_grpc(message: str, address: Address) -> str:
    """What is wrong between two who do not agree on TLS, and the cure, as far as gRPC's own message tells.

    Returns:
        A sentence; empty where the message is of something else.
    """
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return _not_trusted(message.partition("CERTIFICATE_VERIFY_FAILED: ")[2].removesuffix(": OK"))
    if "Hostname Verification Check failed" in message:
        return _not_for(address)
    if "WRONG_VERSION_NUMBER" in message:
        return "the service speaks no TLS there; leave tls, or --tls, out, or start it with --tls-certificate"
    return ""


def looks_cut(message: str, address: Address, tls: Tls | None) -> bool:
    """Whether a connection may have failed for want of an agreement on TLS, which gRPC does not say.

    It says nothing where one hangs up, and of a name with several addresses what happened at the last.
    """
    if address.path or not message.startswith("cannot connect:"):
        return False
    cut = any(words in message for words in ("Socket closed", "Connection reset", "handshake failed"))
    return cut or (tls is not None and not _is_ip(address.host))


def find_out(address: Address, tls: Tls | None, seconds: float) -> str:
    """What is wrong between two who do not get connected: shake hands once more, and look.

    Args:
        address: where the service listens; no socket.
        tls: how it was called; None: without TLS.
        seconds: that a step of it may take, of which there are a few; two at most.

    Returns:
        A sentence with the cure; empty where it cannot be told, or it is not for TLS.
    """
    seconds = min(seconds, _LOOK_SECONDS)
    try:
        if tls is None:
            _hangs_up(address, _trusting(), seconds)
            return _SPEAKS
        # Twice, as a server that happens to end just now hangs up as well, and is not there again.
        context = tls.context()
        if not (_hangs_up(address, context, seconds) and _hangs_up(address, context, seconds)):
            return ""
    except ssl.SSLCertVerificationError as error:
        of_name = "match" in error.verify_message or "not valid for" in error.verify_message
        return _not_for(address) if of_name else _not_trusted(error.verify_message)
    except ssl.SSLError as error:  # whoever speaks no TLS sends no alert
        return _SPEAKS if tls is None and "ALERT" in (error.reason or "") else ""
    except (OSError, InputError):  # InputError: one of two files is just being renewed
        return ""
    if tls.certificate is None:
        return (
            "the service hangs up on who shows no certificate; set certificate and key of Tls, or "
            "--tls-certificate and --tls-key"
        )
    return (
        f"the service does not take the client certificate {os.fspath(tls.certificate)}: it must be valid, "
        "and issued by an authority of the service's --tls-client-ca"
    )


def _not_trusted(why: str) -> str:
    if "expired" in why or "not yet valid" in why:
        return f"the service's certificate is not valid now: {why}; it must be renewed there"
    return (
        f"the service's certificate is not vouched for: {why}; set tls=Tls(roots=…), or --tls-ca, to the "
        "certificate of the authority that issued it"
    )


def _not_for(address: Address) -> str:
    return f"the service's certificate is not for {address.host}; call it by a name that it is for"


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _hangs_up(address: Address, context: ssl.SSLContext, seconds: float) -> bool:
    """Whether a server hangs up right after the handshake, as gRPC's do that do not take ours.

    From any other the first bytes of HTTP/2 come.
    """
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((address.host, address.port), seconds) as plain,
        context.wrap_socket(plain, server_hostname=address.host) as connection,
    ):
        return not connection.recv(1)


def _trusting() -> ssl.SSLContext:
    """Nothing is sent over a connection of it; it only shows whether there is TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
