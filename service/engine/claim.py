"""What an embedded Triton leaves on the machine: shared-memory regions, a socket and a folder of backends.

Everything belongs to a claim, a random name. Its owner holds a lock on `/dev/shm/relatent-NAME.lock`, which
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

from service.engine.places import REGIONS

PREFIX = "relatent-"
LOCK = ".lock"
SOCKET = ".socket"
SOCKET_PORT = 1
"""Triton puts a colon and a port behind every address, which then belong to the socket's name."""
LONGEST_PATH = 4096


class Claim:
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

    def close_regions(self) -> None:
        """Let nobody but this user open the regions, where Triton could not be kept from letting others."""
        for region in REGIONS.glob(self.prefix + "*"):
            with suppress(FileNotFoundError):
                region.chmod(0o600)

    def remove_regions(self) -> None:
        """Remove what a Triton that ended left in shared memory."""
        for region in REGIONS.glob(self.prefix + "*"):
            region.unlink(missing_ok=True)

    def release(self) -> None:
        """Remove everything; the claim is over."""
        with suppress(OSError):  # the next sweep would find it
            self.remove_regions()
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.rmtree(self._socket, ignore_errors=True)
        self._lock.unlink(missing_ok=True)
        os.close(self._descriptor)


def sweep() -> None:
    """Remove what is left of this user's claims whose owners are gone."""
    for lock in REGIONS.glob(f"{PREFIX}*{LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW)
        except OSError:  # another sweep was first, or it is another user's
            continue
        try:
            # Another user's would name a folder of this one.
            if os.fstat(descriptor).st_uid == os.geteuid():
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(lock, Path(os.fsdecode(os.read(descriptor, LONGEST_PATH))))
        except OSError:  # it is held
            continue
        finally:
            os.close(descriptor)


def _remove(lock: Path, folder: Path) -> None:
    name = lock.name.removesuffix(LOCK)
    for region in REGIONS.glob(name + "-*"):
        region.unlink(missing_ok=True)
    if folder.name == name:
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(REGIONS / (name + SOCKET), ignore_errors=True)
    lock.unlink(missing_ok=True)
