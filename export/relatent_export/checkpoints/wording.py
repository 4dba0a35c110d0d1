"""What is said of a file that is refused: one line that starts with its path."""

from __future__ import annotations

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relatent_export.checkpoints.errors import DamagedFile, Refused, UnsupportedFile

_LONGEST = 160
"""Characters of a text out of a file that a message quotes."""


def one_line(text: str) -> str:
    """A text out of a file for a message: without line ends and what would steer a terminal."""
    shown = text[:_LONGEST].encode("unicode_escape").decode("ascii")
    return shown if len(text) <= _LONGEST else f"{shown}..."


_NO_FILES = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def check_regular(path: Path) -> None:
    """Refuse, before it is opened, what may never end, and what has a name that is not text.

    Raises:
        UnsupportedFile: it is a pipe, a socket or a device, or its path is not UTF-8.
        OSError: there is nothing of that name.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        # PyTorch and safetensors take no other, and a pack could not say where it comes from.
        raise UnsupportedFile(f"{path}: a path that is not UTF-8; rename it") from error
    what = _NO_FILES.get(stat.S_IFMT(path.stat().st_mode))
    if what is not None:
        raise UnsupportedFile(f"{path}: {what}, expected a file; write what comes out of it to one first")


@contextmanager
def as_damaged(what: str) -> Iterator[None]:
    """While what was read is made sense of: no other error than a refusal.

    Raises:
        Refused: what was raised inside.
        DamagedFile: anything else was: tensors with too few axes, sizes that cannot be, values of a type
            that nobody thought of.
    """
    try:
        yield
    except Refused:
        raise
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = one_line((str(error).splitlines() or [""])[0])
        raise DamagedFile(f"{what}: not what its family holds ({type(error).__name__}: {reason})") from error


@contextmanager
def with_path(path: Path) -> Iterator[None]:
    """While a file is read, once it is open: its path before every refusal, and no other error.

    Raises:
        Refused: what was raised inside, with the path before it.
        DamagedFile: anything else was. Bytes that are not what they should be make the readers, PyTorch's
            and NumPy's among them, fail in all ways there are, and none of them is a fault of the caller's.
    """
    try:
        with warnings.catch_warnings():
            # Of deprecated classes, of a pickle's protocol: nothing that whoever imports can act on.
            warnings.simplefilter("ignore")
            yield
    except Refused as refused:
        raise type(refused)(f"{path}: {refused}") from refused.__cause__
    except Exception as error:
        reason = one_line((str(error).splitlines() or [""])[0])
        raise DamagedFile(f"{path}: cut off or damaged ({type(error).__name__}: {reason})") from error
