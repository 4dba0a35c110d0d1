"""Results on disk: whole or not at all.

What is written goes beside its place first, under a hidden name, and is renamed once it is complete. Whatever
stops it before, a full disk or Ctrl-C, leaves what was there as it was and nothing half-written. An error of
the system's names the file as it would have been called, which writing itself does not.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How safetensors, which is written in Rust, tells an error of the system's."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file, in a folder that is made where there is none.

    Yields:
        Where to write it: a path beside its own.

    Raises:
        OSError: it cannot be written; names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with named(path):
            yield partial
            os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path, label: str, stale: Iterable[str] = ()) -> Iterator[Path]:
    """Write entries of a folder, files or folders; others that it has stay.

    Args:
        folder: that the entries belong into; made where there is none.
        label: what is written. At the same time others may be written into the folder, and the same
            into other folders.
        stale: entries of an earlier result that are to go if no new ones take their place.

    Yields:
        An empty folder to write the entries into.

    Raises:
        OSError: they cannot be written, or another process is writing the same; names the file.
    """
    there = folder.exists()
    beside = folder.parent if not there or _reaches(folder.parent, folder) else folder
    name = label if beside == folder or folder.name == label else f"{folder.name}.{label}"
    partial, replaced = (beside / f".{name}.{kind}" for kind in ("partial", "replaced"))
    became = False
    with _alone_in(partial, folder), _named_in(folder, partial):
        _put_back(replaced, folder)  # of a run that was killed
        try:
            yield partial
            became = not there and _become(partial, folder)
            if not became:
                _take_places(partial, replaced, folder, stale)
        finally:
            if not became:  # or the name may be another's by now
                shutil.rmtree(partial, ignore_errors=True)


def _reaches(parent: Path, folder: Path) -> bool:
    """Whether what is written beside a folder can be renamed into it: either may be a mount, or read-only.

    If so, it is the place to write. Inside, what a killed run leaves would be taken for an entry: Triton
    refuses to start on a repository that holds one.
    """
    name = f".{secrets.token_hex(8)}.probe"
    try:
        (parent / name).mkdir()
        (parent / name).rename(folder / name)
    except OSError:
        return False
    finally:
        for place in (parent, folder):
            with suppress(OSError):
                (place / name).rmdir()
    return True


@contextmanager
def _alone_in(partial: Path, folder: Path) -> Iterator[None]:
    """Have an empty folder to oneself; what a killed run left in it goes.

    Raises:
        OSError: another process has it.
    """
    with named(folder):
        partial.mkdir(parents=True, exist_ok=True)
        held = os.open(partial, os.O_RDONLY)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(errno.EBUSY, "another process is writing it", str(folder)) from error
        for entry in list(partial.iterdir()):
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        yield
    finally:
        os.close(held)


def _become(partial: Path, folder: Path) -> bool:
    """Rename a folder, if nobody else has made one of that name meanwhile."""
    try:
        partial.rename(folder)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True


def _take_places(partial: Path, replaced: Path, folder: Path, stale: Iterable[str]) -> None:
    """Rename every entry into its place, or none."""
    new = sorted(entry.name for entry in partial.iterdir())
    replaced.mkdir(exist_ok=True)
    try:
        for name in {*new, *stale}:
            if os.path.lexists(folder / name):
                (folder / name).rename(replaced / name)
        for name in new:
            (partial / name).rename(folder / name)
    except BaseException:
        # What has been done is read off the disk: an interruption may come between any two lines.
        for name in new:
            if not (partial / name).exists():
                (folder / name).rename(partial / name)
        _put_back(replaced, folder)
        raise
    shutil.rmtree(replaced, ignore_errors=True)


def _put_back(replaced: Path, folder: Path) -> None:
    """What had been taken away goes back where nothing has taken its place."""
    if replaced.exists() and folder.exists():
        for entry in list(replaced.iterdir()):
            if not os.path.lexists(folder / entry.name):
                entry.rename(folder / entry.name)
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """While a file is written: its path in every error, for none or for that of the place beside.

    Raises:
        OSError: what was raised inside, safetensors' own among it.
    """
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except SafetensorError as error:
        found = _OS_ERROR.search(str(error))
        number = int(found[1]) if found else errno.EIO
        raise OSError(number, os.strerror(number) if found else str(error), str(path)) from error


@contextmanager
def _named_in(folder: Path, partial: Path) -> Iterator[None]:
    """While entries are written: the name that a file will have for the one that it has."""
    try:
        yield
    except OSError as error:
        where = Path(error.filename) if error.filename else folder
        if where.is_relative_to(partial):
            where = folder / where.relative_to(partial)
        raise OSError(error.errno, error.strerror or str(error), str(where)) from error
