"""How commands come in at a service that does not let in everybody: arguments, and else the environment.

A key is never an argument, which every program of the machine could read.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Any

from relatent.client.errors import InputError
from relatent.client.settings import AccessOptions
from relatent.client.tls import Tls
from relatent.core.files import read_file

_MOST_BYTES = 4096
_FILES = {"tls_ca": "roots", "tls_certificate": "certificate", "tls_key": "key"}
_FLAGS = {f"tls.{part}": f"--{name.replace('_', '-')}" for name, part in _FILES.items()}
_PART = re.compile("(?:^|(?<=expected ))(?:" + "|".join(map(re.escape, _FLAGS)) + ")")


def add_credentials(group: Any) -> None:
    """Add what a client shows, and what it wants shown.

    Args:
        group: of arguments, about the service.
    """
    group.add_argument(
        "--tls",
        action=argparse.BooleanOptionalAction,
        help="speak TLS, as any of the next three says, too; the system's authorities vouch for the service "
        "unless --tls-ca is given (RELATENT_TLS=yes)",
    )
    group.add_argument(
        "--tls-ca",
        type=Path,
        metavar="FILE",
        help="certificates (PEM) that vouch for the service (RELATENT_TLS_CA)",
    )
    group.add_argument(
        "--tls-certificate",
        type=Path,
        metavar="FILE",
        help="certificate (PEM) to show, where the service asks for one (RELATENT_TLS_CERTIFICATE)",
    )
    group.add_argument(
        "--tls-key", type=Path, metavar="FILE", help="its private key (PEM) (RELATENT_TLS_KEY)"
    )
    group.add_argument(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help="holds the API key; else RELATENT_API_KEY is one",
    )
    group.add_argument(
        "--insecure",
        action="store_true",
        help="send the API key to another machine without TLS, where a network or a proxy sees to it",
    )


def access(args: argparse.Namespace) -> AccessOptions:
    """How the arguments, and else the environment, say to come in.

    Raises:
        InputError: a file cannot be used, or RELATENT_TLS is neither yes nor no.
    """
    return AccessOptions(tls=_tls(args), api_key=_api_key(args.api_key_file), insecure=args.insecure)


def _tls(args: argparse.Namespace) -> Tls | None:
    files = {
        part: getattr(args, name) or os.environ.get(f"RELATENT_{name.upper()}") or None
        for name, part in _FILES.items()
    }
    asked = args.tls
    if asked is None and any(getattr(args, name) for name in _FILES):
        asked = True  # what is said here goes before what the environment says
    if asked is None and (written := os.environ.get("RELATENT_TLS")):
        if written not in ("yes", "no"):
            raise InputError(f"RELATENT_TLS: expected yes or no, got {written!r}")
        asked = written == "yes"
    if not (any(files.values()) if asked is None else asked):
        return None
    tls = Tls(**files)
    try:
        tls.check()
    except InputError as error:
        raise InputError(_PART.sub(lambda found: _FLAGS[found[0]], str(error), 2)) from error
    return tls


def _api_key(path: Path | None) -> str:
    if path is None:
        return os.environ.get("RELATENT_API_KEY", "").strip()
    try:
        key = read_file(path, _MOST_BYTES).decode("ascii").strip()
    except OSError as error:
        raise InputError(f"--api-key-file {path}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise InputError(f"--api-key-file {path}: expected an API key") from None
    if not key:
        raise InputError(f"--api-key-file {path}: expected an API key, got an empty file")
    return key
