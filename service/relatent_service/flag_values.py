"""How values of the service's flags are read: each from its text, or refused with what was expected."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable
from pathlib import Path

from relatent.core.addresses import FORMS, Address, AddressError, parse_address, parse_addresses

MOST_BYTES, MOST_SECONDS = 2**30 - 1, 1_000_000
"""gRPC counts bytes, twice as many, and milliseconds in 32 bits."""


def listen_address(text: str) -> Address:
    """An address to listen at.

    A socket's path is made absolute, so that it holds for who reads it off the ready file.
    """
    address = _address(text)
    return _address(f"unix:{os.path.abspath(address.path)}") if address.path else address


def host_and_port(text: str) -> Address:
    """A host and a port; no socket."""
    if (address := _address(text)).path:
        raise argparse.ArgumentTypeError(f"expected host:port, got {text!r}: here it can be no socket")
    return address


def _address(text: str) -> Address:
    try:
        address = parse_address(text, any_port=True)
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if address.resolver:
        raise argparse.ArgumentTypeError(
            f"expected {FORMS}, got {text!r}: without {address.resolver}, as no name is looked up here"
        )
    return address


def triton_addresses(text: str) -> tuple[str, ...]:
    """Where Triton servers listen, with commas; empty for none."""
    try:
        addresses = parse_addresses(text) if text.strip() else []
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    for address in addresses:
        host_and_port(str(address))
    return tuple(map(str, addresses))


def one_of(*names: str) -> Callable[[str], str]:
    """One of some names."""

    def parse(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}")
        return text

    return parse


def count(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def byte_count(text: str) -> int:
    """A number of bytes, as many as gRPC takes."""
    number = count(text)
    if number > MOST_BYTES:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_BYTES}, got {text!r}")
    return number


def seconds(text: str) -> float:
    """Seconds, 0 included."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"expected 0 to {MOST_SECONDS} seconds, got {text!r}")
    return number


def some_seconds(text: str) -> float:
    """Seconds, more than 0."""
    if not (number := seconds(text)):
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds, got {text!r}")
    return number


def yes_or_no(text: str) -> bool:
    """A switch."""
    return one_of("yes", "no")(text) == "yes"


def optional_path(text: str) -> Path | None:
    """A path; empty for none."""
    return Path(text) if text else None
