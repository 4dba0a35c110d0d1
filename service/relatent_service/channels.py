"""Where the service connects and where it listens: what would take credentials, and nothing else does."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc

from relatent.core.addresses import Address, parse_address
from relatent.core.credentials import (
    CredentialFileError,
    CredentialPart,
    HalfPairError,
    read_files,
)
from relatent.core.renewed import Renewed

log = logging.getLogger(__name__)

Options = Sequence[tuple[str, int | str]]

_OPTIONS: Options = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Left alone, gRPC waits up to two minutes before it tries a server again that was away.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.use_local_subchannel_pool", 1),
]


class UnusableTritonCredentials(Exception):
    """A file for TLS to Triton that cannot be used; the message names flag and file."""


@dataclass(frozen=True)
class TritonTls:
    """How Triton servers elsewhere are known, and this service to them.

    Attributes:
        ca: certificates that vouch for them, in PEM; None: those that this system trusts.
        certificate: that this service shows; None: none.
        key: its private key.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def paths(self) -> list[Path]:
        """The files that are named."""
        return [path for path in (self.ca, self.certificate, self.key) if path is not None]

    def credentials(self) -> grpc.ChannelCredentials:
        """What a channel takes, as the files are now.

        Raises:
            UnusableTritonCredentials: they cannot be used.
        """
        try:
            roots, pair = read_files(self.ca, self.certificate, self.key)
        except HalfPairError as error:
            given, missing = _TRITON_FLAGS[error.given], _TRITON_FLAGS[error.missing]
            raise UnusableTritonCredentials(f"{given}: expected {missing} as well") from error
        except CredentialFileError as error:
            raise UnusableTritonCredentials(f"{_TRITON_FLAGS[error.part]} {error}") from error
        if pair is None:
            return grpc.ssl_channel_credentials(roots)
        return grpc.ssl_channel_credentials(roots, pair.key, pair.certificate)


class TritonCredentials:
    """Credentials of channels to Triton, renewed when their files change.

    Args:
        tls: where they are.

    Raises:
        UnusableTritonCredentials: they cannot be used.
    """

    def __init__(self, tls: TritonTls) -> None:
        self._read = Renewed(tls.paths, tls.credentials)

    @property
    def newest(self) -> grpc.ChannelCredentials:
        """What a channel takes: another object wherever the files have changed."""
        return self._read.value

    def renew(self) -> None:
        """Read the files again if they have changed; where they cannot be used, the credentials stay."""
        try:
            renewed = self._read.renew()
        except UnusableTritonCredentials as error:  # also for a moment, while one file of two is renewed
            log.error("the credentials for Triton stay as they were: %s", error)  # noqa: TRY400
            return
        if renewed:
            log.info("renewed credentials for Triton")


_TRITON_FLAGS = {
    CredentialPart.ROOTS: "--triton-tls-ca",
    CredentialPart.CERTIFICATE: "--triton-tls-certificate",
    CredentialPart.KEY: "--triton-tls-key",
}


def open_channel(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """A channel to a Triton server, with no limit on the size of messages.

    Args:
        address: host:port, or unix:PATH. What is on this machine is never reached through a proxy.
        credentials: of TLS, which a socket never speaks; None: without.
    """
    parsed = parse_address(address)
    options = [*_OPTIONS, *_past_proxies(parsed)]
    if credentials is None or parsed.path:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, credentials, options=options)


def open_blocking_channel(
    address: Address, credentials: grpc.ChannelCredentials | None = None, name: str = ""
) -> grpc.Channel:
    """A blocking channel to this service itself.

    Args:
        address: where it listens.
        credentials: of TLS; None: without.
        name: in its certificate.
    """
    options = _past_proxies(address)
    if credentials is None:
        return grpc.insecure_channel(address.target, options)
    return grpc.secure_channel(
        address.target, credentials, [*options, ("grpc.ssl_target_name_override", name)]
    )


def listen(
    server: grpc.aio.Server, address: Address, credentials: grpc.ServerCredentials | None = None
) -> int:
    """Have a server listen; the port that it was given.

    Args:
        server: not started.
        address: a socket, which never speaks TLS, or a host and a port.
        credentials: of TLS; None: without.

    Raises:
        RuntimeError: the address cannot be had.
    """
    if credentials is None or address.path:
        return int(server.add_insecure_port(address.target))
    return int(server.add_secure_port(address.target, credentials))


def _past_proxies(address: Address) -> Options:
    return [("grpc.enable_http_proxy", 0)] if address.local else []
