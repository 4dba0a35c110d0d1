"""What an embedded Triton leaves on the machine: shared-memory regions, a socket and a folder of backends.

Everything bears one random name. Its owner holds a lock on `/dev/shm/relatent-NAME.lock`, which
the kernel lets go when the owner ends; so whose lock can be had is gone, and what it left can be removed. A
process id would not do: containers of one pod may share /dev/shm and each count from 1.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from relatent_service.engine.embedded.locations import REGIONS, SCRATCH

PREFIX = "relatent-"
LOCK = ".lock"
SOCKET = ".socket"
SOCKET_PORT = 1
"""Triton puts a colon and a port behind every address, which then belong to the socket's name."""
LONGEST_CONTENT = 1 << 20
SCRATCHED = "python_env_"
"""How the names of those folders begin that Triton's Python backend makes, and leaves when it is killed."""


class Leftovers:
    """A name for everything that one embedded Triton leaves behind.

    Args:
        parent: the folder to make its own in.

    Attributes:
        prefix: how the names of its shared-memory regions begin.
        folder: for its files.
        listen: the address that Triton is to be given, to which it adds SOCKET_PORT.
        address: where it is reached then. The socket lies in a folder that only this user may enter, beside
            the regions, where paths are short: a socket's may have 107 characters.
    """

    def __init__(self, parent: Path) -> None:
        name = PREFIX + secrets.token_hex(6)
        self.prefix = name + "-"
        self.folder = parent / name
        self._socket = REGIONS / (name + SOCKET)
        self.listen = f"unix:{self._socket}/grpc"
        self.address = f"{self.listen}:{SOCKET_PORT}"
        self._before: set[Path] = set()
        self._scratched: set[Path] = set()
        self._lock = REGIONS / (name + LOCK)
        # Locked under a name that no sweep looks at, then shown.
        hidden = REGIONS / f".{name}{LOCK}"
        self._descriptor = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            os.write(self._descriptor, os.fsencode(self.folder))
            hidden.rename(self._lock)
            self.folder.mkdir(mode=0o700)
            self._socket.mkdir(mode=0o700)
        except OSError:
            hidden.unlink(missing_ok=True)
            self.release()
            raise

    def begin(self) -> None:
        """A Triton is about to be started: what it makes under names of its own is what comes now."""
        self._before = set(SCRATCH.glob(SCRATCHED + "*"))

    def take(self) -> None:
        """A Triton has started, or failed to: what it made is ours, and no other user's to open."""
        for region in REGIONS.glob(self.prefix + "*"):
            with suppress(FileNotFoundError):
                region.chmod(0o600)  # where it could not be kept from letting others
        for folder in set(SCRATCH.glob(SCRATCHED + "*")) - self._before - self._scratched:
            self._scratched.add(folder)
            os.write(self._descriptor, b"\n" + os.fsencode(folder))

    def clear(self) -> None:
        """Remove what a Triton that ended left: regions, and the folders that it made."""
        for region in REGIONS.glob(self.prefix + "*"):
            region.unlink(missing_ok=True)
        while self._scratched:
            _remove_empty(self._scratched.pop())

    def release(self) -> None:
        """Remove everything."""
        with suppress(OSError):  # the next sweep would find it
            self.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self._socket, ignore_errors=True)
        self._lock.unlink(missing_ok=True)
        os.close(self._descriptor)


def sweep() -> None:
    """Remove what this user's Triton left whose owners are gone."""
    for lock in REGIONS.glob(f"{PREFIX}*{LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # another sweep was first, or it is another user's
            continue
        try:
            # Another user's would name a folder of this one.
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock, os.fsdecode(os.read(descriptor, LONGEST_CONTENT)).split("\n"))
        except OSError:  # it is held
            continue
        finally:
            os.close(descriptor)


def _remove(lock: Path, content: list[str]) -> None:
    name, folder = lock.name.removesuffix(LOCK), Path(content[0])
    for region in REGIONS.glob(name + "-*"):
        region.unlink(missing_ok=True)
    if folder.name == name:
        shutil.rmtree(folder, ignore_errors=True)
    for scratched in map(Path, content[1:]):
        if scratched.name.startswith(SCRATCHED):
            _remove_empty(scratched)
    shutil.rmtree(REGIONS / (name + SOCKET), ignore_errors=True)
    lock.unlink(missing_ok=True)


def _remove_empty(folder: Path) -> None:
    """Remove a folder, unless it is gone, another user's, or something was put into it."""
    with suppress(OSError):
        folder.rmdir()
