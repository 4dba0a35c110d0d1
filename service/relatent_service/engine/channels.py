"""Connections to Triton servers."""

from __future__ import annotations

import grpc

from relatent.core.addresses import parse_address

OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Left alone, gRPC waits up to two minutes before it tries a server again that was away.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 250),
    ("grpc.use_local_subchannel_pool", 1),
]
NO_PROXY = ("grpc.enable_http_proxy", 0)


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to a Triton server, with no limit on the size of messages.

    Args:
        address: host:port, or unix:PATH. What is on this machine is never reached through a proxy.
    """
    here = parse_address(address).local
    return grpc.aio.insecure_channel(address, options=[*OPTIONS, NO_PROXY] if here else OPTIONS)
