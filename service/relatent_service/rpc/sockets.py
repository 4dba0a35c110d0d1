"""The Unix domain socket that calls come in by: gRPC makes and removes it; this is what it leaves out."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_CONNECT_SECONDS = 1.0


def make_way(path: Path) -> None:
    """Make sure that a socket can be made, in place of one that a killed server left behind.

    gRPC would take the place of a running server's without a word.

    Raises:
        OSError: it cannot; the message says why.
    """
    folder = path.parent
    if not folder.is_dir():
        raise OSError(f"{folder}: no such folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError(f"{folder}: no right to make a socket there")
    if not path.exists():
        return
    if not path.is_socket():
        raise OSError(f"{path} is there and is no socket")
    _check_left_behind(path)
    path.unlink()


def _check_left_behind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
        except OSError as error:  # such as of one that is too busy, or another user's: not ours to remove
            raise OSError(
                f"{path} is there, and whose it is cannot be told: {error.strerror or error}"
            ) from error
    raise OSError("another server listens there")
