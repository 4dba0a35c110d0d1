"""What of a folder is worked on: what is a picture by its content, or claims to be one by its name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relatent.client.errors import InputError
from relatent.client.latents import SUFFIX
from relatent.core import files
from relatent.core.filetypes import HEAD, PICTURE_SUFFIXES, Use, recognise


@dataclass(frozen=True)
class PassedOver:
    """Something that was handed over, but is not worked on.

    Attributes:
        path: where it is.
        why: what it is, with its article, or why it does not count.
    """

    path: Path
    why: str


@dataclass(frozen=True)
class Unreadable:
    """A folder in a folder that cannot be looked through."""

    path: Path
    error: OSError


def look_through(folder: Path, out: Path, *, codes: bool) -> Iterator[Path | PassedOver | Unreadable]:
    """Tell of everything in a folder and the folders in it what becomes of it.

    A path is worked on: whatever its content or its name say is a picture, and what cannot be looked at,
    which may be one. Passed over are files that surely are none, hidden ones, and where results go.

    Args:
        folder: what to look through.
        out: where results go.
        codes: whether latent codes are worked on too.

    Raises:
        InputError: results would go among the files to look through.
    """
    results = os.path.realpath(out)
    if results == os.path.realpath(folder):
        raise InputError(f"{folder}: results would go among its pictures; choose another place with --out")
    errors: list[OSError] = []
    for root, folders, names in os.walk(folder, onerror=errors.append):
        while errors:
            yield _unreadable(errors.pop())
        for name in sorted(folders):
            inner = Path(root, name)
            if why := _why_not_folder(inner, results):
                folders.remove(name)
                yield PassedOver(inner, why)
        folders.sort()
        for name in sorted(names):
            file = Path(root, name)
            why = _why_not_file(file, codes=codes)
            yield PassedOver(file, why) if why else file
    while errors:
        yield _unreadable(errors.pop())


def _unreadable(error: OSError) -> Unreadable:
    return Unreadable(Path(os.fsdecode(error.filename)), error)


def _why_not_folder(folder: Path, results: str) -> str:
    if folder.name.startswith("."):
        return "a hidden folder"
    if os.path.realpath(folder) == results:
        return "where results go"
    return "a link to a folder" if folder.is_symlink() else ""


def _why_not_file(file: Path, *, codes: bool) -> str:
    if file.name.startswith("."):
        return "a hidden file"
    suffix = file.suffix.lower()
    if suffix == SUFFIX:
        return "" if codes else "a latent code"
    if suffix in PICTURE_SUFFIXES:
        return ""
    try:
        found = recognise(files.read_head(file, HEAD))
    except files.NotAFileError as error:
        return str(error.strerror).removeprefix("expected a file, got ")
    except OSError:
        return ""
    if found is None:
        return "no picture by its content"
    return found.name if found.use is Use.OTHER else ""
