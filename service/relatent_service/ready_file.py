"""The ready file: it is there from when a server serves until it is told to stop, and says where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


class UnusableReadyFile(Exception):
    """It cannot be written or removed; the message names the flag, the file and why."""


def remove_ready_file(path: Path) -> None:
    """Remove that of a server before this one, or of this one as it stops.

    Raises:
        UnusableReadyFile: it cannot be.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise UnusableReadyFile(f"--ready-file {path}: {error.strerror}") from error


def write_ready_file(path: Path, document: Mapping[str, str]) -> None:
    """Write it in one go, as somebody may be waiting for it.

    Raises:
        UnusableReadyFile: it cannot be, for want of room or of rights; nothing is left behind.
    """
    new = path.with_name(path.name + ".new")
    try:
        new.write_text(json.dumps(document))
        new.replace(path)
    except OSError as error:
        with suppress(OSError):
            new.unlink(missing_ok=True)
        raise UnusableReadyFile(f"--ready-file {path}: {error.strerror}") from error
