"""Where a server listens, as it is written: one reading of it for clients and for the service.

| Form | |
|---|---|
| `host:port`, `10.0.0.1:8500` | a name or an IPv4 address |
| `[::1]:8500` | an IPv6 address |
| `dns:///host:port` | the same as gRPC writes it, for clients |
| `unix:/path`, `unix:path` | a Unix domain socket |

What has another form is not taken, though gRPC may know more: `ipv4:`, `xds:`, a name without a port.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from urllib.parse import quote

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8500
DEFAULT_LISTEN = f"{LOOPBACK}:{DEFAULT_PORT}"
"""Where the service is found unless told otherwise, by itself and by clients."""

FORMS = "host:port, [IPv6]:port or unix:/path"
LAST_PORT = 65535
LONGEST_PATH = 107 if sys.platform == "linux" else 103
"""Bytes of a socket's path; the system's own limit."""

_DNS = re.compile(r"(dns:(?://[^/]*/)?)(.*)", re.DOTALL)
_SCHEME = re.compile(r"ipv[46]:|[A-Za-z][A-Za-z0-9+.-]*://")
_PORT = re.compile(r"[0-9]{1,5}")
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%.*)?")
_SOCKET = "unix:"


class AddressError(ValueError):
    """An address that is not taken; the message says how it should be written."""


@dataclass(frozen=True)
class Address:
    """Where a server listens: a host and a port, or a socket's path.

    Attributes:
        host: a name or an IP address, without brackets; empty for a socket.
        port: 1 to 65535, or 0 where the system is to choose; 0 for a socket.
        path: of a socket; else empty.
        resolver: how gRPC is told to look the name up, such as `dns:///`; mostly empty.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    resolver: str = ""

    def __str__(self) -> str:
        """As it is written in flags and settings."""
        if self.path:
            return f"{_SOCKET}{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.resolver}{host}:{self.port}"

    @property
    def target(self) -> str:
        """As gRPC takes it: what is special in a URI is escaped in a path."""
        return f"{_SOCKET}{quote(os.fsencode(self.path))}" if self.path else str(self)

    @property
    def local(self) -> bool:
        """Whether it can only be on this machine: a socket, or a loopback address or name."""
        if self.path:
            return True
        try:
            ip = ip_address(self.host)
        except ValueError:
            name = self.host.removesuffix(".").lower()
            return name == "localhost" or name.endswith(".localhost")
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        return ip.is_loopback or ip.is_unspecified  # connecting to no address in particular stays at home


def parse_address(text: str, *, any_port: bool = False) -> Address:
    """Read an address.

    Args:
        text: of one of the forms above.
        any_port: whether the port may be 0.

    Raises:
        AddressError: it has another form.
    """
    if text.startswith(_SOCKET):
        return _socket(text)
    if (dns := _DNS.fullmatch(text)) is not None:
        return _host_and_port(text, dns[2], any_port, resolver=dns[1])
    if (scheme := _SCHEME.match(text)) is not None:
        rest = text[scheme.end() :].split("/")[0]
        raise _wrong(text, f"write {_suggested(rest)}, without {scheme[0]}")
    return _host_and_port(text, text, any_port)


def parse_addresses(written: str | Sequence[str]) -> list[Address]:
    """Read several addresses, one by one or with commas.

    Raises:
        AddressError: one has another form, or there is none.
    """
    parts = written.split(",") if isinstance(written, str) else written
    if not all(isinstance(part, str) for part in parts):
        raise AddressError(f"expected {FORMS}, as text, got {written!r}")
    addresses = [parse_address(part.strip()) for part in parts if part.strip()]
    if not addresses:
        raise AddressError("expected at least one host:port")
    return addresses


def _host_and_port(text: str, rest: str, any_port: bool, resolver: str = "") -> Address:
    host, colon, port = rest.rpartition(":")
    if (rest.startswith("[") and rest.endswith("]")) or not colon:
        raise _wrong(text, f"the port is missing, as in {resolver}{_suggested(rest)}")
    if not host:
        raise _wrong(text, f"the host is missing, as in {resolver}{LOOPBACK}:{port or DEFAULT_PORT}")
    if _BARE_IPV6.fullmatch(host) is not None:
        raise _wrong(text, f"write an IPv6 address in brackets, as in {resolver}{_suggested(rest)}")
    if _PORT.fullmatch(port) is None:
        raise _wrong(text, f"{port!r} is no port, as in {resolver}{_suggested(host)}")
    return Address(_host(text, host), _port(text, port, any_port), resolver=resolver)


def _port(text: str, port: str, any_port: bool) -> int:
    if not (0 if any_port else 1) <= int(port) <= LAST_PORT:
        least = 0 if any_port else 1
        raise _wrong(text, f"a port is {least} to {LAST_PORT}")
    return int(port)


def _host(text: str, host: str) -> str:
    if host.startswith("["):
        return _ipv6(text, host)
    if re.fullmatch("[0-9.]+", host):
        _check_ipv4(text, host)
    elif _NAME.fullmatch(host) is None:
        raise _wrong(text, f"{host!r} is no host")
    return host


def _ipv6(text: str, host: str) -> str:
    try:
        if host.endswith("]"):
            return str(IPv6Address(host[1:-1]))
    except AddressValueError:
        pass
    raise _wrong(text, f"{host!r} is no IPv6 address in brackets")


def _check_ipv4(text: str, host: str) -> None:
    try:
        IPv4Address(host)
    except AddressValueError:
        raise _wrong(text, f"{host!r} is no IPv4 address") from None


def _socket(text: str) -> Address:
    path = text.removeprefix(_SOCKET)
    if path.startswith("//"):
        if not path.startswith("///"):
            raise _wrong(text, "a socket is on this machine: write unix:/path or unix:///path")
        path = path.removeprefix("//")
    if not path:
        raise _wrong(text, "the path is missing, as in unix:/run/relatent.sock")
    if "," in path or "\0" in path:
        raise _wrong(text, "gRPC reaches no socket with a comma or a zero byte in its path")
    try:
        size = len(os.fsencode(path))
    except UnicodeEncodeError:
        raise _wrong(text, "that is no path of this system") from None
    if size > LONGEST_PATH:
        raise _wrong(text, f"a socket's path has at most {LONGEST_PATH} bytes, this one {size}")
    return Address(path=path)


def _suggested(rest: str) -> str:
    """What may have been meant by something without a scheme; an example where that cannot be told."""
    bare = rest.strip("[]")
    for host, port in (bare.rpartition(":")[::2], (bare, str(DEFAULT_PORT)), (LOOPBACK, bare)):
        bracketed = f"[{host.strip('[]')}]" if ":" in host else host
        if _PORT.fullmatch(port) is not None:
            with suppress(AddressError):
                return str(Address(_host(rest, bracketed), _port(rest, port, any_port=False)))
    return DEFAULT_LISTEN


def _wrong(text: str, why: str) -> AddressError:
    return AddressError(f"expected {FORMS}, got {text!r}: {why}")
