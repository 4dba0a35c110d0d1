"""Results on disk: whole or not at all.

What is written goes beside its place first, under a hidden name, and is renamed once it is complete. Whatever
stops it before, a full disk or Ctrl-C, leaves what was there as it was and nothing half-written. An error of
the system's names the file as it would have been called, which writing itself does not.
"""

from __future__ import annotations

import errno
import fcntl
import json
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

_BUSY = "another process is writing it"

_NEW = ".new"
"""Beside the entries put aside: the names of those that are to come into the folder, in JSON. If a kill cut
it off, it is no JSON, and nothing had been moved."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file, in a folder that is made where there is none.

    A link stays, and what it leads to is written: as `relatent.core.files` and plain writing do.

    Yields:
        Where to write it: a path beside its own, that nobody can have put a link at.

    Raises:
        OSError: it cannot be written; names the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    target = Path(os.path.realpath(path))
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    try:
        with named(path):
            yield partial
            os.replace(partial, target)
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
    for place in (partial, replaced):
        # Somebody's, who wants what it leads to emptied or filled.
        if place.is_symlink():
            place.unlink()
    became = False
    with _alone_in(partial, folder), _named_in(folder, partial):
        _put_back(partial, replaced, folder)  # of a run that was killed
        _empty(partial)
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
    """Have a folder to oneself, with what a killed run left in it.

    Raises:
        OSError: another process has it, or it is none.
    """
    with named(folder):
        partial.mkdir(parents=True, exist_ok=True)
        held = os.open(partial, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(errno.EBUSY, _BUSY, str(folder)) from error
        if not _is_at(held, partial):
            raise OSError(errno.EBUSY, _BUSY, str(folder))
        yield
    finally:
        os.close(held)


def _is_at(held: int, place: Path) -> bool:
    """Whether an open folder still has its name: since it was opened, another process may have removed it."""
    try:
        return os.path.samestat(os.fstat(held), place.lstat())
    except FileNotFoundError:
        return False


def _empty(folder: Path) -> None:
    """Remove what is in a folder, and nothing that links in it lead to."""
    for entry in list(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


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
        (replaced / _NEW).write_text(json.dumps(new))
        for name in {*new, *stale}:
            if os.path.lexists(folder / name):
                (folder / name).rename(replaced / name)
        for name in new:
            (partial / name).rename(folder / name)
        # From here on there is nothing to put back, whatever stops the removal.
        replaced.rename(partial / replaced.name)
    except BaseException:
        _put_back(partial, replaced, folder)
        raise


def _put_back(partial: Path, replaced: Path, folder: Path) -> None:
    """New entries go out again, and what had been taken away for them goes back.

    What has been done is read off the disk: an interruption may come between any two lines, and a kill too,
    after which the next run does this.
    """
    if not (replaced.is_dir() and folder.exists()):
        return
    with suppress(FileNotFoundError, json.JSONDecodeError):
        for name in json.loads((replaced / _NEW).read_text()):
            if os.path.lexists(folder / name) and not os.path.lexists(partial / name):
                (folder / name).rename(partial / name)
    for entry in list(replaced.iterdir()):
        if entry.name != _NEW and not os.path.lexists(folder / entry.name):
            entry.rename(folder / entry.name)
    # By itself: what has gone back must not be taken for new by the next run, if the rest cannot be removed.
    (replaced / _NEW).unlink(missing_ok=True)
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
