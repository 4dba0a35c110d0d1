"""Where clients make their channels, and which of them a call begins on."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Generic, TypeVar

import grpc
from grpc import aio

from relatent.client.tls import RenewedTls, Tls
from relatent.core.addresses import parse_address
from relatent.core.renewed_channel import RenewedChannel

C = TypeVar("C")

KEEPALIVE_MILLISECONDS = 20_000
"""How long a server may say nothing before it is asked whether it is still there."""


class ClientChannels(Generic[C]):
    """The channels of one process, or of one event loop: to each address one for new calls.

    Whoever uses it from several threads holds a lock of their own.

    Args:
        open_one: makes a channel to an address, with credentials of TLS or without.
        tls: None: without. When its files change, calls that begin get new channels.
    """

    def __init__(self, open_one: Callable[[str, grpc.ChannelCredentials | None], C], tls: Tls | None) -> None:
        self._open_one = open_one
        self._renewed = None if tls is None else RenewedTls(tls)
        self._by_address: dict[str, RenewedChannel[grpc.ChannelCredentials | None, C]] = {}

    def take(self, address: str) -> C:
        """The channel for a call that begins.

        Raises:
            InputError: the files of TLS cannot be used, and never could.
        """
        if address not in self._by_address:
            path = parse_address(address).path  # a socket, which never speaks TLS
            newest = _no_credentials if self._renewed is None or path else self._renewed.credentials
            make = functools.partial(self._open_one, address)
            self._by_address[address] = RenewedChannel(make, newest)
        return self._by_address[address].take()

    def give_back(self, address: str, channel: C) -> list[C]:
        """A call has ended; the channels that are to be closed, as others took their place."""
        return self._by_address[address].give_back(channel)

    def let_go(self) -> list[C]:
        """All of them, to be closed."""
        return [channel for renewed in self._by_address.values() for channel in renewed.let_go()]


def open_channel(
    address: str, max_message_bytes: int, credentials: grpc.ChannelCredentials | None = None
) -> grpc.Channel:
    """A blocking channel to a server.

    Args:
        address: as `relatent.core.addresses` writes it.
        max_message_bytes: of one message, either way.
        credentials: of TLS; None: without.
    """
    target, options = parse_address(address).target, _options(address, max_message_bytes)
    if credentials is None:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, credentials, options)


def open_async_channel(
    address: str, max_message_bytes: int, credentials: grpc.ChannelCredentials | None = None
) -> aio.Channel:
    """The same for asyncio; it belongs to the running loop."""
    target, options = parse_address(address).target, _options(address, max_message_bytes)
    if credentials is None:
        return aio.insecure_channel(target, options)
    return aio.secure_channel(target, credentials, options)


def _no_credentials() -> None:
    """What channels without TLS are made with."""


def _options(address: str, max_message_bytes: int) -> list[tuple[str, int | str]]:
    return [
        # A name that gRPC is told to look up may stand for several servers: each gets its turn, and so do
        # those that are found when a connection has come of age.
        *([("grpc.lb_policy_name", "round_robin")] if parse_address(address).resolver else []),
        # What is on this machine is never behind a proxy, whatever the environment says.
        ("grpc.enable_http_proxy", int(not parse_address(address).local)),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.max_receive_message_length", max_message_bytes),
        # Attempts are ours, so gRPC's own would only hide them.
        ("grpc.enable_retries", 0),
        # An address that does not answer must not hold up the others for gRPC's twenty seconds,
        # nor stay shunned for its two minutes.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 5000),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # A server that vanished without a word is given up after half a minute, not after the
        # system's quarter of an hour; the service allows to be asked this often.
        ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_MILLISECONDS // 2),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_MILLISECONDS // 2),  # the lower of both counts
        ("grpc.http2.max_pings_without_data", 0),
        # Channels to one address must not share each other's connection and its backoff.
        ("grpc.use_local_subchannel_pool", 1),
    ]
