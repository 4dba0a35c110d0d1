"""Files to work on: folders opened, results named so that no two collide and no input is overwritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from relatent.errors import InputError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif"}
)
"""What is taken from a folder as an image. Not all of them are served, but none is passed over in silence."""


@dataclass(frozen=True)
class Item:
    """A file to work on.

    Attributes:
        path: where it is.
        name: what its results are called, without a suffix; may hold folders.
    """

    path: Path
    name: str


def collect(paths: Sequence[Path], suffixes: Iterable[str], out: Path) -> list[Item]:
    """List the files to work on.

    Args:
        paths: files, and folders to look through.
        suffixes: what to take from folders.
        out: where results go; what lies there is no input.

    Returns:
        Every file once, with names that differ even where case does not count.

    Raises:
        InputError: there is none.
    """
    wanted = frozenset(suffixes)
    found: dict[Path, tuple[Path, PurePath]] = {}
    for path in paths:
        if not path.is_dir():
            found.setdefault(path.resolve(), (path, PurePath(path.name)))
            continue
        for file in sorted(path.rglob("*")):
            if _wanted(file, path, wanted, out):
                found.setdefault(file.resolve(), (file, file.relative_to(path)))
    if not found:
        raise InputError(f"{', '.join(map(str, paths))}: no image in there")
    files = list(found.values())
    names = _distinct([relative for _, relative in files])
    return [Item(path, name) for (path, _), name in zip(files, names, strict=True)]


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


def _wanted(file: Path, folder: Path, suffixes: frozenset[str], out: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return (
        not hidden
        and file.suffix.lower() in suffixes
        and not file.is_dir()  # a link to nowhere is an input too, one that fails
        and out.resolve() not in file.resolve().parents
    )


def _distinct(files: Sequence[PurePath]) -> list[str]:
    ways: tuple[Callable[[PurePath], str], ...] = (
        lambda file: file.with_suffix("").as_posix(),
        lambda file: file.with_name(file.name.replace(".", "_")).as_posix(),
    )
    for way in ways:
        names = [way(file) for file in files]
        if max(Counter(name.lower() for name in names).values()) == 1:
            return names
    taken = Counter(name.lower() for name in names)
    seen: set[str] = set()
    distinct = []
    for name in names:
        number, candidate = 1, name
        while candidate.lower() in seen or (number > 1 and candidate.lower() in taken):
            number += 1
            candidate = f"{name}-{number}"
        seen.add(candidate.lower())
        distinct.append(candidate)
    return distinct
