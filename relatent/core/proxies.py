"""Which proxy gRPC goes through, so that an error can name it; for clients and for the service.

gRPC reads the environment itself: the first of `grpc_proxy`, `https_proxy` and `http_proxy` that is set,
and of `no_grpc_proxy` and `no_proxy`, all in lower case only. Neither client nor service has it do so for
addresses of this machine; see `Address.local`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from relatent.core.addresses import Address

_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
_EXCEPTIONS = ("no_grpc_proxy", "no_proxy")


def proxy_variable(address: Address, environment: Mapping[str, str] = os.environ) -> str | None:
    """The variable that names the proxy through which gRPC reaches an address, if there is one."""
    variable = _first_set(_PROXIES, environment)
    # gRPC takes no proxy of another kind, and goes without.
    if address.local or variable is None or not _described(environment[variable], variable):
        return None
    exceptions = _first_set(_EXCEPTIONS, environment)
    excepted = exceptions is not None and _excepted(address.host, environment[exceptions].split(","))
    return None if excepted else variable


def proxy_hint(address: Address, environment: Mapping[str, str] = os.environ) -> str:
    """What to know about a failed call's proxy: which variable names it, and how to go without it.

    Returns:
        Half a sentence; empty where there is no proxy.
    """
    variable = proxy_variable(address, environment)
    if variable is None:
        return ""
    cure = _first_set(_EXCEPTIONS, environment) or "no_proxy"
    step = f"add {address.host} to {cure}" if environment.get(cure) else f"set {cure}={address.host}"
    return f"it goes through {_described(environment[variable], variable)}: {step} to go without"


def _described(written: str, variable: str) -> str:
    try:
        proxy = urlsplit(written)
    except ValueError:  # such as half a pair of brackets, which gRPC tries all the same
        return f"the proxy of {variable}, which is no host:port" if written.startswith("http://") else ""
    if proxy.scheme != "http" or not proxy.hostname:
        return ""
    # Not the whole of it, which may hold a password.
    return f"the proxy {proxy.netloc.rpartition('@')[2]} of {variable}"


def _first_set(names: Iterable[str], environment: Mapping[str, str]) -> str | None:
    return next((name for name in names if name in environment), None)


def _excepted(host: str, entries: Iterable[str]) -> bool:
    return any(_covers(entry.strip(), host) for entry in entries if entry)


def _covers(entry: str, host: str) -> bool:
    """Whether gRPC takes an entry for a host: the end of its name, or a network that it is in."""
    if host.endswith(entry):
        return True
    try:
        return ip_address(host) in ip_network(entry, strict=False)
    except ValueError:
        return False
