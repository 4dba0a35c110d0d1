"""What an embedded Triton leaves on the machine: shared-memory regions and a folder of backends.

Everything belongs to a claim, a random name. Its owner holds a lock on `/dev/shm/relatent-NAME.lock`, which
the kernel lets go when the owner ends; so whose lock can be had is gone, and what it left can be removed. A
process id would not do: containers of one pod may share /dev/shm and each count from 1.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import tempfile
from pathlib import Path

REGIONS = Path("/dev/shm")
PREFIX = "relatent-"
LOCK = ".lock"


class Claim:
    """A name for everything that one embedded Triton leaves behind.

    Attributes:
        prefix: how the names of its shared-memory regions begin.
        folder: for its files.
    """

    def __init__(self) -> None:
        name = PREFIX + secrets.token_hex(6)
        self.prefix = name + "-"
        self.folder = _folder(name)
        self._lock = REGIONS / (name + LOCK)
        # Locked under a name that no sweep looks at, then shown.
        hidden = REGIONS / f".{name}{LOCK}"
        self._descriptor = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        hidden.rename(self._lock)
        self.folder.mkdir(mode=0o700)

    def remove_regions(self) -> None:
        """Remove what a Triton that ended left in shared memory."""
        for region in REGIONS.glob(self.prefix + "*"):
            region.unlink(missing_ok=True)

    def release(self) -> None:
        """Remove everything; the claim is over."""
        self.remove_regions()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.unlink(missing_ok=True)
        os.close(self._descriptor)


def sweep() -> None:
    """Remove what is left of claims whose owners are gone."""
    for lock in REGIONS.glob(f"{PREFIX}*{LOCK}"):
        try:
            descriptor = os.open(lock, os.O_RDWR)
        except OSError:  # another sweep was first, or it is another user's
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        else:
            name = lock.name.removesuffix(LOCK)
            for region in REGIONS.glob(name + "-*"):
                region.unlink(missing_ok=True)
            shutil.rmtree(_folder(name), ignore_errors=True)
            lock.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _folder(name: str) -> Path:
    return Path(tempfile.gettempdir()) / name
