"""Files that are read again when they change, without a restart."""

from __future__ import annotations

import ssl
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
        self._failed: tuple[tuple[Stamp, ...], str] | None = None
        """Of files that could not be read: what they were, and why."""
        self.value = read()

    def renew(self) -> bool:
        """Read the files again if they have changed.

        Returns:
            Whether there is a new value.

        Raises:
            Exception: what `read` raises; then the value stays. Files whose content was at fault are not read
                before they change once more. Any other failure may pass: they are read again at each look,
                and what was raised for them already is not raised again.
        """
        now = stamps(self._paths)
        if now == self._stamps:
            return False
        try:
            value = self._read()
        except Exception as error:
            failed, before = (now, str(error)), self._failed
            self._failed = failed
            if not _may_pass(error):
                self._stamps = now
            if failed == before:
                return False
            raise
        self._stamps, self._failed, self.value = now, None, value
        return True


def _may_pass(error: BaseException | None) -> bool:
    """Whether an error, or one that caused it, tells of the machine rather than of what the files hold."""
    while error is not None:
        # OpenSSL's errors are OSErrors, too, and are of the content.
        if isinstance(error, OSError | MemoryError) and not isinstance(error, ssl.SSLError):
            return True
        error = error.__cause__
    return False


def stamps(paths: Iterable[Path]) -> tuple[Stamp, ...]:
    """What changes whenever files do, also by a link to them that leads elsewhere, as Kubernetes does it."""
    return tuple(map(_stamp, paths))


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
