"""`relatent serve`: become the service."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from relatent.client.errors import InputError

_LAST_PYTHON = (3, 12)
"""That has NumPy 1, which Triton needs; the client runs on later ones."""
_PYTHON = (sys.executable, "-E", "-P")
"""Neither what lies in the working directory nor what PYTHONPATH names can stand in for the service."""


def add_parser(commands: Any) -> None:
    """Add the command to the list; its flags are the service's own."""
    commands.add_parser("serve", help="run the service; its flags: relatent serve --help", add_help=False)


def command(flags: Sequence[str]) -> list[str]:
    """The command line of a service.

    Raises:
        InputError: the service is not installed, or this Python is too new for it.
    """
    asks_for_help = not {"-h", "--help"}.isdisjoint(flags)
    if not asks_for_help and (version := sys.version_info[:2]) > _LAST_PYTHON:
        raise InputError(
            f"the service runs on Python 3.11 and 3.12, and this is Python {version[0]}.{version[1]}: "
            "make an environment with one of those and, in it, pip install 'relatent[serve]'"
        )
    needed = () if asks_for_help else ("prometheus_client", "onnxruntime")
    missing = [name for name in ("relatent_service", *needed) if not _installed(name)]
    if missing:
        raise InputError(f"the service needs {', '.join(missing)}: pip install 'relatent[serve]'")
    return [*_PYTHON, "-m", "relatent_service", *flags]


def run(flags: Sequence[str]) -> NoReturn:
    """Replace this process by the service, so that signals reach it."""
    words = command(flags)
    sys.stdout.flush()
    os.execv(words[0], words)


def _installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None
