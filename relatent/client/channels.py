"""Where clients make their channels: what would take credentials, and nothing else does."""

from __future__ import annotations

import grpc
from grpc import aio

from relatent.client.tls import Tls
from relatent.core.addresses import parse_address

KEEPALIVE_MILLISECONDS = 20_000
"""How long a server may say nothing before it is asked whether it is still there."""


def open_channel(address: str, max_message_bytes: int, tls: Tls | None = None) -> grpc.Channel:
    """A blocking channel to a server.

    Args:
        address: as `relatent.core.addresses` writes it; a socket never speaks TLS.
        max_message_bytes: of one message, either way.
        tls: None: without.

    Raises:
        InputError: the files of TLS cannot be used.
    """
    target, options = parse_address(address).target, _options(address, max_message_bytes)
    if tls is None or parse_address(address).path:
        return grpc.insecure_channel(target, options)
    return grpc.secure_channel(target, tls.credentials(), options)


def open_async_channel(address: str, max_message_bytes: int, tls: Tls | None = None) -> aio.Channel:
    """The same for asyncio; it belongs to the running loop."""
    target, options = parse_address(address).target, _options(address, max_message_bytes)
    if tls is None or parse_address(address).path:
        return aio.insecure_channel(target, options)
    return aio.secure_channel(target, tls.credentials(), options)


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
