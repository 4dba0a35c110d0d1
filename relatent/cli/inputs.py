"""Files to work on: folders opened, results named so that no two collide and no input is overwritten."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from relatent.cli.folders import PassedOver, Unreadable, look_through
from relatent.client.errors import InputError

_LONGEST = 200
"""Bytes of a result's name, without what is added to it; most systems take 255 in all."""
_SHOWN = 5


@dataclass(frozen=True)
class Item:
    """A file to work on.

    Attributes:
        path: where it is.
        name: what its results are called, without a suffix; may hold folders.
        error: what kept a folder from being looked through; such an item has failed before any work.
    """

    path: Path
    name: str
    error: OSError | None = None


@dataclass(frozen=True)
class Inputs:
    """What became of the files and folders that were handed over.

    Attributes:
        items: what to work on.
        passed_over: what is in the folders beside.
    """

    items: Sequence[Item]
    passed_over: Sequence[PassedOver]


def collect(paths: Sequence[Path], out: Path, *, codes: bool = False) -> Inputs:
    """List the files to work on.

    Args:
        paths: files, and folders to look through, as `relatent.cli.folders` tells.
        out: where results go; what lies there is no input.
        codes: whether latent codes are taken from folders too.

    Returns:
        Every file once, with names that differ even where case, or the form of accents, does not count.

    Raises:
        InputError: there is none, or results would go among the files to look through.
    """
    found: dict[str, tuple[Path, PurePath, OSError | None]] = {}
    passed: list[PassedOver] = []

    def take(path: Path, relative: PurePath, error: OSError | None = None) -> None:
        first = found.setdefault(os.path.realpath(path), (path, relative, error))[0]
        if first != path:
            passed.append(PassedOver(path, f"the same file as {first}"))

    for path in paths:
        if not os.path.isdir(path):  # pathlib's raises, as where a name is too long
            take(path, PurePath(path.name))
            continue
        inside = list(look_through(path, out, codes=codes))
        for each in inside:
            match each:
                case Path():
                    take(each, each.relative_to(path))
                case Unreadable():
                    take(each.path, PurePath(path.name or "folder"), each.error)
                case PassedOver():
                    passed.append(each)
        if all(isinstance(each, PassedOver) for each in inside):
            passed.append(PassedOver(path, "no image in there"))
    if not found:
        raise InputError(_nothing(paths, passed))
    names = _distinct([relative for _, relative, _ in found.values()])
    items = [Item(path, name, error) for (path, _, error), name in zip(found.values(), names, strict=True)]
    return Inputs(items, passed)


def prepare_out(folder: Path, option: str = "--out") -> None:
    """Make the folder for results, before the work whose results would be lost without it.

    Args:
        folder: to make.
        option: that named it.

    Raises:
        InputError: it cannot be made or written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise InputError(f"{option}: {folder}: expected a folder, got a file") from None
    except OSError as error:
        raise InputError(f"{option}: {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{option}: {folder}: {os.strerror(errno.EACCES)}")


def refuse_overwriting(inputs: Iterable[Path], results: Iterable[Path]) -> None:
    """Make sure that no result is written over a file that it is made from.

    Files are compared rather than names: a link, or another case of letters, is the same file.

    Raises:
        InputError: one would be.
    """
    known = {file: path for path in inputs if (file := _identity(path)) is not None}
    for result in results:
        file = _identity(result)
        if file in known:
            raise InputError(f"{known[file]}: a result would overwrite it; choose another place with --out")


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at a path; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _nothing(paths: Sequence[Path], passed: Sequence[PassedOver]) -> str:
    there = [f"{each.path} ({each.why})" for each in passed if each.path not in paths]
    more = [f"{len(there) - _SHOWN:,} more"] if len(there) > _SHOWN else []
    but = f", but {', '.join([*there[:_SHOWN], *more])}" if there else ""
    return f"{', '.join(map(str, paths))}: no image in there{but}"


def _distinct(files: Sequence[PurePath]) -> list[str]:
    plain = [PurePath(*map(_plain, file.parts)) for file in files]
    ways: tuple[Callable[[PurePath], str], ...] = (
        lambda file: _short(file.with_suffix("")),
        lambda file: _short(file.with_name(file.name.replace(".", "_"))),
    )
    for way in ways:
        names = [way(file) for file in plain]
        if max(Counter(map(_as_files_compare, names)).values()) == 1:
            return names
    taken = set(map(_as_files_compare, names))
    seen: set[str] = set()
    distinct = []
    for name in names:
        number, candidate = 1, name
        while (same := _as_files_compare(candidate)) in seen or (number > 1 and same in taken):
            number += 1
            candidate = f"{name}-{number}"
        seen.add(same)
        distinct.append(candidate)
    return distinct


def _as_files_compare(name: str) -> str:
    """What is equal for names that are one file somewhere, whatever the case and the form of accents."""
    return unicodedata.normalize("NFC", name).lower()


def _plain(part: str) -> str:
    """A part of a path as every system takes it: bytes that are no text, and control characters, as %XX."""
    return "".join(
        character
        if character >= " " and not "\x7f" <= character <= "\x9f" and not "\ud800" <= character <= "\udfff"
        else "".join(f"%{byte:02X}" for byte in os.fsencode(character))
        for character in part
    )


def _short(file: PurePath) -> str:
    return "/".join(part.encode()[:_LONGEST].decode(errors="ignore") for part in file.parts)
