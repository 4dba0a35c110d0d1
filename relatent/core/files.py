"""Files of a caller's: read without waiting for what is no file, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_OTHER_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_NOT_TO_BE_REPLACED = {errno.EACCES, errno.EBUSY, errno.EPERM, errno.EROFS, errno.EXDEV}


class NotAFileError(OSError):
    """There is something at a path, but nothing that holds bytes: a folder, a pipe, a device."""


def check_file(path: Path) -> int:
    """Make sure that there is a file at a path, before it is opened: opening a pipe may wait for ever.

    Returns:
        Its size in bytes.

    Raises:
        NotAFileError: there is something else.
        OSError: there is nothing, or it may not be seen.
    """
    try:
        found = path.stat()
    except ValueError as error:  # a zero byte in the name
        raise OSError(errno.EINVAL, f"not a file's name: {error}", str(path)) from error
    for is_kind, name in _OTHER_KINDS:
        if is_kind(found.st_mode):
            raise NotAFileError(errno.EINVAL, f"expected a file, got {name}", str(path))
    return found.st_size


def read_file(path: Path, limit: int) -> bytes:
    """Read a file whole.

    Args:
        path: where it is.
        limit: bytes that it may have.

    Raises:
        NotAFileError: there is something else.
        OSError: it cannot be read, or it is larger.
    """
    size = check_file(path)
    if size > limit:
        raise OSError(errno.EFBIG, f"expected at most {limit:,} bytes, got {size:,}", str(path))
    return path.read_bytes()


def read_head(path: Path, count: int) -> bytes:
    """Read a file's first bytes; raises as `read_file` does."""
    check_file(path)
    with path.open("rb") as file:
        return file.read(count)


def write_file(path: Path, data: bytes) -> None:
    """Write a file beside its place and put it there when it is whole, over one that may be there.

    One that is there keeps its rights. Where it can be written but not replaced, being mounted by itself or
    in a folder that is not to be changed, it is written in place.

    Raises:
        NotAFileError: at the place is something else.
        OSError: it cannot be written; names the place, where nothing has changed unless it was written in
            place.
    """
    with suppress(FileNotFoundError):
        check_file(path)
    target = Path(os.path.realpath(path))  # through a link, as a plain write goes
    try:
        try:
            _write_beside(target, data)
        except OSError as error:
            if error.errno not in _NOT_TO_BE_REPLACED or not os.access(target, os.W_OK):
                raise
            target.write_bytes(data)
    except OSError as error:
        raise type(error)(error.errno, error.strerror or str(error), str(path)) from error


def _write_beside(target: Path, data: bytes) -> None:
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        # Not of `tempfile`, whose files only their owner may read.
        with partial.open("xb") as file:
            # No file there yet, or a file system on which all have the same.
            with suppress(FileNotFoundError, PermissionError):
                partial.chmod(stat.S_IMODE(target.stat().st_mode))
            file.write(data)
        partial.replace(target)
    except BaseException:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
