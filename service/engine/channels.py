"""Connections to Triton servers."""

from __future__ import annotations

import ipaddress
import os

import grpc

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
PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
"""Where gRPC looks for a proxy, in this order, and nowhere else."""
EXCEPTIONS = ("no_grpc_proxy", "no_proxy")


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to a Triton server, with no limit on the size of messages.

    Args:
        address: host:port, or unix:PATH. What is on this machine is never reached through a proxy.
    """
    return grpc.aio.insecure_channel(address, options=[*OPTIONS, NO_PROXY] if is_here(address) else OPTIONS)


def is_here(address: str) -> bool:
    """Whether an address is on this machine: a Unix socket or a loopback one."""
    if address.startswith("unix:"):
        return True
    host = _host(address)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def proxy_variable(address: str) -> str | None:
    """The environment's variable with the proxy through which gRPC reaches an address, if there is one."""
    proxy = next((name for name in PROXIES if os.environ.get(name)), None)
    if proxy is None or is_here(address):
        return None
    exceptions = next((os.environ[name] for name in EXCEPTIONS if os.environ.get(name)), "")
    endings = [ending.strip().lower() for ending in exceptions.split(",") if ending.strip()]
    return None if _host(address).lower().endswith(tuple(endings)) else proxy


def _host(address: str) -> str:
    return address.rpartition(":")[0].strip("[]")
