"""Files that are read again when they change, without a restart."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

Stamp: TypeAlias = tuple[int, int, int] | None


class Renewed(Generic[T]):
    """What was read from files, and is read again when they have changed.

    Whoever renews it from several threads holds a lock of their own.

    Args:
        paths: of the files.
        read: reads them; what it raises at first goes through.

    Attributes:
        value: what was read last.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], T]) -> None:
        self._paths = tuple(paths)
        self._read = read
        # Taken before the files are read, so that what changes meanwhile is seen at the next look.
        self._stamps = stamps(self._paths)
        self.value = read()

    def renew(self) -> bool:
        """Read the files again if they have changed.

        Returns:
            Whether there is a new value.

        Raises:
            Exception: what `read` raises; then the value stays, and nothing is read before the files change
                once more.
        """
        now = stamps(self._paths)
        if now == self._stamps:
            return False
        self._stamps = now
        self.value = self._read()
        return True


def stamps(paths: Iterable[Path]) -> tuple[Stamp, ...]:
    """What changes whenever files do, also by a link to them that leads elsewhere, as Kubernetes does it."""
    return tuple(map(_stamp, paths))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
