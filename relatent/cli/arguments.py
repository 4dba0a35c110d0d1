"""Arguments that several commands share, and what they are made of."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from relatent.cli.credentials import access, add_credentials
from relatent.client.blocking import Client
from relatent.client.errors import InputError
from relatent.client.images import ImageFormat
from relatent.client.settings import DEFAULT_ADDRESS, DEFAULT_MAX_MESSAGE_BYTES
from relatent.core.addresses import AddressError, parse_addresses
from relatent.core.stopping import Plateau
from relatent.core.traffic import TrafficClass

FORMATS = [ImageFormat.PNG.value, ImageFormat.JPEG.value, ImageFormat.WEBP.value]


def add_connection(parser: argparse.ArgumentParser, timeout: float, *, works: bool = True) -> None:
    """Add what says where the service is and, for commands that have it work, who waits for that."""
    group = parser.add_argument_group("service")
    group.add_argument(
        "--address",
        type=addresses,
        default=os.environ.get("RELATENT_ADDRESS", DEFAULT_ADDRESS),
        metavar="HOST:PORT|unix:PATH[,…]",
        help="where the service listens; with several, another takes over where one is lost "
        "(RELATENT_ADDRESS; default: %(default)s)",
    )
    group.add_argument(
        "--timeout",
        type=positive,
        default=timeout,
        metavar="SECONDS",
        help="of a call, all its attempts together (default: %(default)g)",
    )
    group.add_argument(
        "--max-message-bytes",
        type=whole,
        metavar="BYTES",
        help="of one message, either way, as the service has it (RELATENT_MAX_MESSAGE_BYTES; "
        f"default: {DEFAULT_MAX_MESSAGE_BYTES})",
    )
    parser.set_defaults(traffic_class=None)
    if works:
        group.add_argument(
            "--traffic-class",
            choices=[each.value for each in TrafficClass],
            help="interactive: somebody waits for each answer; bulk: nobody does, so that others go first "
            "(default: bulk for several files, else what the API key is for)",
        )
    add_credentials(group)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the wish for machine-readable output."""
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of text")


def add_pack(parser: argparse.ArgumentParser) -> None:
    """Add the choice of a pack."""
    parser.add_argument("--pack", default="", metavar="NAME", help="default: the service's only one")


def add_out(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the folder for results and the pictures' format."""
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(default), metavar="FOLDER", help="default: %(default)s"
    )
    parser.add_argument("--format", choices=FORMATS, default="png", help="of pictures (default: png)")


def client(args: argparse.Namespace, files: int = 1) -> Client:
    """The client that the arguments, and else the environment, ask for, to work on so many files.

    Raises:
        InputError: the environment asks for something else than a number of bytes, or what is to be shown
            to the service cannot be.
    """
    return Client(
        args.address,
        timeout=args.timeout,
        max_message_bytes=max_message_bytes(args),
        traffic_class=args.traffic_class or (TrafficClass.BULK if files > 1 else None),
        **access(args),
    )


def max_message_bytes(args: argparse.Namespace) -> int:
    """Bytes of one message that the arguments, and else the environment, ask for.

    Raises:
        InputError: the environment asks for something else than a number of bytes.
    """
    return args.max_message_bytes or _max_message_bytes()


def check_service(client: Client, args: argparse.Namespace) -> None:
    """Make sure that there is a service before many files wait for it one by one.

    Raises:
        CallError: there is none.
    """
    client.catalog(timeout=min(args.timeout, 10.0))


def addresses(text: str) -> list[str]:
    """Where servers listen, with commas."""
    try:
        return [str(address) for address in parse_addresses(text)]
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def positive(text: str) -> float:
    """A number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def whole(text: str) -> int:
    """A whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def whole_or_none(text: str) -> int:
    """A whole number of at least 0."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(text)


def weight(text: str) -> tuple[str, float]:
    """`TERM=VALUE`."""
    name, equals, value = text.partition("=")
    try:
        if name and equals:
            return name, float(value)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected TERM=VALUE, such as pixel=1, got {text!r}")


def plateau(text: str) -> Plateau:
    """`STEPS:FRACTION`."""
    steps, _, fraction = text.partition(":")
    try:
        return Plateau(int(steps), float(fraction))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected STEPS:FRACTION, such as 20:0.01, got {text!r}") from None


def layers(text: str) -> tuple[int, int]:
    """`FIRST-LAST`, or one layer."""
    first, dash, last = text.partition("-")
    if first.isdecimal() and (last.isdecimal() or not dash):
        return int(first), int(last or first)
    raise argparse.ArgumentTypeError(f"expected layers FIRST-LAST, such as 0-5, got {text!r}")


def numbers(text: str) -> list[float]:
    """One number, several with commas, or `FROM:TO:COUNT` evenly apart."""
    try:
        if text.count(":") == 2:
            first, last, count = text.split(":")
            return spread(float(first), float(last), int(count))
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected a number, several as -2,0,2, or FROM:TO:COUNT as -3:3:7, got {text!r}"
        ) from None


def spread(first: float, last: float, count: int) -> list[float]:
    """So many numbers, evenly apart, ends included.

    Raises:
        ValueError: fewer than 2.
    """
    if count < 2:
        raise ValueError(f"expected at least 2, got {count}")
    return [first + (last - first) * index / (count - 1) for index in range(count)]


def _max_message_bytes() -> int:
    name = "RELATENT_MAX_MESSAGE_BYTES"
    try:
        return whole(os.environ.get(name, str(DEFAULT_MAX_MESSAGE_BYTES)))
    except argparse.ArgumentTypeError as error:
        raise InputError(f"{name}: {error}") from None
