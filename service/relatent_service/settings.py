"""The service's settings: one table, from which come the flags, the environment and the help.

A flag `--max-steps` is also the environment's `RELATENT_MAX_STEPS`; the flag wins.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

from relatent.core.addresses import DEFAULT_LISTEN, DEFAULT_PORT, LOOPBACK, Address
from relatent_service.access.certificates import CertificateFiles
from relatent_service.channels import TritonTls
from relatent_service.flag_values import (
    byte_count,
    bytes_or_none,
    count,
    host_and_port,
    listen_address,
    one_of,
    optional_path,
    redis_url,
    seconds,
    some_seconds,
    triton_addresses,
    yes_or_no,
)
from relatent_service.images.codec import ImageLimits

PREFIX = "RELATENT_"
MIB = 2**20


@dataclass(frozen=True)
class _Flag:
    """What the command line knows of a setting."""

    default: str
    parse: Callable[[str], Any]
    help: str


_ENGINES = one_of("auto", "triton", "embedded", "local")
_LEVELS = one_of("debug", "info", "warning", "error")


@dataclass(frozen=True)
class ServerSettings:
    """How a server runs; `relatent serve --help` explains each."""

    listen: Annotated[
        Address,
        _Flag(
            DEFAULT_LISTEN,
            listen_address,
            "where gRPC is served: host:port, of which port 0 chooses one, or unix:/path",
        ),
    ]
    metrics_listen: Annotated[
        Address,
        _Flag(f"{LOOPBACK}:{DEFAULT_PORT + 1}", host_and_port, "where Prometheus metrics are served"),
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
    triton: Annotated[
        tuple[str, ...], _Flag("", triton_addresses, "gRPC addresses of Triton, host:port[,host:port]")
    ]
    triton_tls: Annotated[
        bool,
        _Flag("no", yes_or_no, "yes: speak TLS to --triton; any of the next three flags says so, too"),
    ]
    triton_tls_ca: Annotated[
        Path | None,
        _Flag("", optional_path, "certificates (PEM) that vouch for --triton, in place of the system's"),
    ]
    triton_tls_certificate: Annotated[
        Path | None, _Flag("", optional_path, "certificate (PEM) to show to --triton")
    ]
    triton_tls_key: Annotated[Path | None, _Flag("", optional_path, "its private key (PEM)")]
    tls_certificate: Annotated[
        Path | None,
        _Flag(
            "",
            optional_path,
            "certificate (PEM, with those that vouch for it) to speak TLS with, for calls and for metrics; "
            "read again when it changes",
        ),
    ]
    tls_key: Annotated[Path | None, _Flag("", optional_path, "its private key (PEM, no passphrase)")]
    tls_client_ca: Annotated[
        Path | None,
        _Flag("", optional_path, "certificates (PEM) that must vouch for whoever calls or reads metrics"),
    ]
    api_keys: Annotated[
        Path | None,
        _Flag(
            "",
            optional_path,
            "file of API keys, made by `relatent keys new`, of which calls need one; read again when changed",
        ),
    ]
    reflection: Annotated[bool, _Flag("yes", yes_or_no, "no: do not describe the services to whoever asks")]
    insecure: Annotated[
        bool, _Flag("no", yes_or_no, "yes: say nothing about listening to others without TLS or keys")
    ]
    max_message_bytes: Annotated[int, _Flag(str(32 * MIB), byte_count, "bytes of one message, either way")]
    max_image_bytes: Annotated[int, _Flag(str(20 * MIB), count, "bytes of one encoded image")]
    max_image_pixels: Annotated[int, _Flag("50000000", count, "pixels of one image, told from its header")]
    max_steps: Annotated[int, _Flag("2000", count, "refinement steps of one inversion")]
    max_images: Annotated[int, _Flag("64", count, "images of one call: strengths, amounts, latents or seeds")]
    max_inflight: Annotated[int, _Flag("32", count, "calls at work at a time")]
    max_queue: Annotated[int, _Flag("256", count, "calls waiting for a slot; further ones are turned away")]
    max_sessions: Annotated[
        int, _Flag("256", count, "editing sessions at a time; further ones are turned away")
    ]
    latent_cache_bytes: Annotated[
        int,
        _Flag(str(64 * MIB), bytes_or_none, "of results of inversions that are kept in memory; 0 for none"),
    ]
    latent_cache_redis: Annotated[
        str,
        _Flag(
            "",
            redis_url,
            "a Redis that several servers share their results in: redis://, rediss:// or unix://",
        ),
    ]
    latent_cache_seconds: Annotated[int, _Flag("86400", count, "how long that Redis keeps a result")]
    drain_seconds: Annotated[float, _Flag("30", seconds, "how long calls under way may go on after SIGTERM")]
    max_connection_age_seconds: Annotated[
        float,
        _Flag(
            "300",
            some_seconds,
            "age at which clients are asked to connect anew, so that new servers get load",
        ),
    ]
    log_level: Annotated[str, _Flag("info", _LEVELS, "debug, info, warning or error")]
    ready_file: Annotated[
        Path | None,
        _Flag(
            "",
            optional_path,
            "written when serving and removed when told to stop: JSON with the addresses, keys grpc, metrics "
            "and, of an embedded Triton, triton and triton_metrics, the engine, and a note, empty unless a "
            "better engine could be had",
        ),
    ]
    stop_with_stdin: Annotated[
        bool,
        _Flag(
            "no",
            yes_or_no,
            "yes: stop at the end of standard input as on SIGTERM, so that a parent that holds its pipe "
            "takes the service along even when killed",
        ),
    ]

    @property
    def image_limits(self) -> ImageLimits:
        """What is accepted of one image."""
        return ImageLimits(self.max_image_bytes, self.max_image_pixels)

    @property
    def certificate_files(self) -> CertificateFiles | None:
        """Where the certificate is that is shown; None: no TLS."""
        if self.tls_certificate is None or self.tls_key is None:
            return None
        return CertificateFiles(self.tls_certificate, self.tls_key, self.tls_client_ca)

    @property
    def triton_credentials(self) -> TritonTls | None:
        """How to speak TLS to Triton; None: not at all."""
        tls = TritonTls(self.triton_tls_ca, self.triton_tls_certificate, self.triton_tls_key)
        return tls if self.triton_tls or tls != TritonTls() else None


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
        switch: dict[str, Any] = {"nargs": "?", "const": True} if flag.parse is yes_or_no else {}
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=flag.parse,
            default=environment.get(variable, flag.default),
            metavar="VALUE",
            help=f"{flag.help} [{variable}; default: {flag.default or 'none'}]",
            **switch,
        )
    settings = ServerSettings(**vars(parser.parse_args(arguments)))
    if (problem := _problem(settings)) is not None:
        parser.error(problem)
    return settings


def _problem(settings: ServerSettings) -> str | None:
    """What does not go together."""
    if settings.engine == "triton" and not settings.triton:
        return "--engine triton: expected --triton host:port"
    if settings.triton and settings.engine in ("embedded", "local"):
        return f"--engine {settings.engine}: expected no --triton, got {','.join(settings.triton)}"
    for certificate, key in (("tls_certificate", "tls_key"), ("triton_tls_certificate", "triton_tls_key")):
        given, missing = (certificate, key) if getattr(settings, certificate) else (key, certificate)
        if getattr(settings, given) and not getattr(settings, missing):
            return f"--{given.replace('_', '-')}: expected --{missing.replace('_', '-')} as well"
    if settings.tls_client_ca and not settings.tls_certificate:
        return "--tls-client-ca: expected --tls-certificate and --tls-key as well"
    return None
