"""The service's settings: one table, from which come the flags, the environment and the help.

A flag `--max-steps` is also the environment's `RELATENT_MAX_STEPS`; the flag wins.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from relatent.core.addresses import (
    DEFAULT_LISTEN,
    DEFAULT_PORT,
    FORMS,
    LOOPBACK,
    Address,
    AddressError,
    parse_address,
    parse_addresses,
)
from relatent_service.images.codec import ImageLimits

PREFIX = "RELATENT_"
MIB = 2**20
MOST_BYTES, MOST_SECONDS = 2**30 - 1, 1_000_000
"""gRPC counts bytes, twice as many, and milliseconds in 32 bits."""
REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def _listen(text: str) -> Address:
    """A socket's path is made absolute, so that it holds for who reads it off the ready file."""
    address = _address(text)
    return _address(f"unix:{os.path.abspath(address.path)}") if address.path else address


def _host_and_port(text: str) -> Address:
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


def _tritons(text: str) -> tuple[str, ...]:
    try:
        addresses = parse_addresses(text) if text.strip() else []
    except AddressError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    for address in addresses:
        _host_and_port(str(address))
    return tuple(map(str, addresses))


def _choice(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"expected one of {', '.join(names)}, got {text!r}")
        return text

    return parse


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _bytes(text: str) -> int:
    count = _count(text)
    if count > MOST_BYTES:
        raise argparse.ArgumentTypeError(f"expected at most {MOST_BYTES}, got {text!r}")
    return count


def _bytes_or_none(text: str) -> int:
    return 0 if text.strip() == "0" else _count(text)


def _redis(text: str) -> str:
    if not text:
        return text
    if not text.startswith(REDIS_SCHEMES):
        # What was given is not shown: it may hold a password.
        raise argparse.ArgumentTypeError(f"expected {', '.join(REDIS_SCHEMES)}, and where it is")
    if find_spec("redis") is None:
        raise argparse.ArgumentTypeError("expected the package redis: pip install 'relatent[serve,redis]'")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"expected 0 to {MOST_SECONDS} seconds, got {text!r}")
    return seconds


def _some_seconds(text: str) -> float:
    if not (seconds := _seconds(text)):
        raise argparse.ArgumentTypeError(f"expected more than 0 seconds, got {text!r}")
    return seconds


def _yes_or_no(text: str) -> bool:
    return _choice("yes", "no")(text) == "yes"


def _optional_path(text: str) -> Path | None:
    return Path(text) if text else None


@dataclass(frozen=True)
class _Flag:
    """What the command line knows of a setting."""

    default: str
    parse: Callable[[str], Any]
    help: str


_ENGINES = _choice("auto", "triton", "embedded", "local")
_LEVELS = _choice("debug", "info", "warning", "error")


@dataclass(frozen=True)
class ServerSettings:
    """How a server runs; `relatent serve --help` explains each."""

    listen: Annotated[
        Address,
        _Flag(
            DEFAULT_LISTEN,
            _listen,
            "where gRPC is served: host:port, of which port 0 chooses one, or unix:/path",
        ),
    ]
    metrics_listen: Annotated[
        Address,
        _Flag(f"{LOOPBACK}:{DEFAULT_PORT + 1}", _host_and_port, "where Prometheus metrics are served"),
    ]
    packs: Annotated[Path, _Flag("packs", Path, "folder of packs")]
    repository: Annotated[
        Path, _Flag("model_repository", Path, "Triton model repository with the packs' graphs")
    ]
    engine: Annotated[
        str,
        _Flag(
            "auto",
            _ENGINES,
            "what runs the graphs: triton (at --triton), embedded (a Triton child process), local (in this "
            "process), or auto: the first of these that can be had",
        ),
    ]
    triton: Annotated[tuple[str, ...], _Flag("", _tritons, "gRPC addresses of Triton, host:port[,host:port]")]
    max_message_bytes: Annotated[int, _Flag(str(32 * MIB), _bytes, "bytes of one message, either way")]
    max_image_bytes: Annotated[int, _Flag(str(20 * MIB), _count, "bytes of one encoded image")]
    max_image_pixels: Annotated[int, _Flag("50000000", _count, "pixels of one image, told from its header")]
    max_steps: Annotated[int, _Flag("2000", _count, "refinement steps of one inversion")]
    max_images: Annotated[
        int, _Flag("64", _count, "images of one call: strengths, amounts, latents or seeds")
    ]
    max_inflight: Annotated[int, _Flag("32", _count, "calls at work at a time")]
    max_queue: Annotated[int, _Flag("256", _count, "calls waiting for a slot; further ones are turned away")]
    latent_cache_bytes: Annotated[
        int,
        _Flag(str(64 * MIB), _bytes_or_none, "of results of inversions that are kept in memory; 0 for none"),
    ]
    latent_cache_redis: Annotated[
        str,
        _Flag(
            "",
            _redis,
            "a Redis that several servers share their results in: redis://, rediss:// or unix://",
        ),
    ]
    latent_cache_seconds: Annotated[int, _Flag("86400", _count, "how long that Redis keeps a result")]
    drain_seconds: Annotated[float, _Flag("30", _seconds, "how long calls under way may go on after SIGTERM")]
    max_connection_age_seconds: Annotated[
        float,
        _Flag(
            "300",
            _some_seconds,
            "age at which clients are asked to connect anew, so that new servers get load",
        ),
    ]
    log_level: Annotated[str, _Flag("info", _LEVELS, "debug, info, warning or error")]
    ready_file: Annotated[
        Path | None,
        _Flag(
            "",
            _optional_path,
            "written when serving: JSON with the addresses, keys grpc, metrics and, of an embedded Triton, "
            "triton and triton_metrics, the engine, and a note, empty unless a better engine could be had",
        ),
    ]
    stop_with_stdin: Annotated[
        bool,
        _Flag(
            "no",
            _yes_or_no,
            "yes: stop at the end of standard input as on SIGTERM, so that a parent that holds its pipe "
            "takes the service along even when killed",
        ),
    ]

    @property
    def image_limits(self) -> ImageLimits:
        """What is accepted of one image."""
        return ImageLimits(self.max_image_bytes, self.max_image_pixels)


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> ServerSettings:
    """Read the settings off the command line and the environment.

    Raises:
        SystemExit: a value is not what it must be, or help was asked for.
    """
    parser = argparse.ArgumentParser(
        prog="relatent serve",
        description="Serve GAN inversion and editing over gRPC. Every flag is also an environment variable.",
        allow_abbrev=False,
    )
    for name, hint in get_type_hints(ServerSettings, include_extras=True).items():
        (flag,) = hint.__metadata__
        variable = PREFIX + name.upper()
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=flag.parse,
            default=environment.get(variable, flag.default),
            metavar="VALUE",
            help=f"{flag.help} [{variable}; default: {flag.default or 'none'}]",
        )
    settings = ServerSettings(**vars(parser.parse_args(arguments)))
    if settings.engine == "triton" and not settings.triton:
        parser.error("--engine triton: expected --triton host:port")
    if settings.triton and settings.engine in ("embedded", "local"):
        parser.error(f"--engine {settings.engine}: expected no --triton, got {','.join(settings.triton)}")
    return settings
