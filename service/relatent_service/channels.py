"""Where the service connects and where it listens: what would take credentials, and nothing else does."""

from __future__ import annotations

from collections.abc import Sequence

import grpc

from relatent.core.addresses import Address, parse_address

Options = Sequence[tuple[str, int]]

_OPTIONS: Options = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Left alone, gRPC waits up to two minutes before it tries a server again that was away.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.use_local_subchannel_pool", 1),
]


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to a Triton server, with no limit on the size of messages.

    Args:
        address: host:port, or unix:PATH. What is on this machine is never reached through a proxy.
    """
    return grpc.aio.insecure_channel(address, options=[*_OPTIONS, *_past_proxies(parse_address(address))])


def open_blocking_channel(address: Address) -> grpc.Channel:
    """A blocking channel to this service itself."""
    return grpc.insecure_channel(address.target, _past_proxies(address))


def listen(server: grpc.aio.Server, address: Address) -> int:
    """Have a server listen; the port that it was given.

    Raises:
        RuntimeError: the address cannot be had.
    """
    return int(server.add_insecure_port(address.target))


def _past_proxies(address: Address) -> Options:
    return [("grpc.enable_http_proxy", 0)] if address.local else []
