"""The files that a user names, and what to do about those that are not ours.

A file that is named must be usable. A folder stands for what is usable in it: what is not is told and passed
over, unless nothing else is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from relatent_export.checkpoints.errors import Refused

Tell = Callable[[str], None]
"""Takes a line for the user."""


@dataclass(frozen=True)
class Named:
    """A file to read.

    Attributes:
        path: of the file.
        folder: that it was found in; None if it was named itself.
    """

    path: Path
    folder: Path | None = None


def expand(paths: Sequence[Path], tell: Tell) -> Iterator[Named]:
    """The files that are meant, with those of a folder in place of it; hidden ones are not.

    Raises:
        Refused: there is nothing in a folder.
        OSError: a folder cannot be looked into.
    """
    for path in paths:
        if not path.is_dir():
            yield Named(path)
            continue
        entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
        for entry in entries:
            if entry.is_dir():
                tell(f"passed over {entry}: a folder inside a folder; name it as well to look into it")
            else:
                yield Named(entry, path)
        if not any(not entry.is_dir() for entry in entries):
            raise Refused(f"{path}: expected a folder with files in it")


def passed_over(why: Refused | OSError) -> str:
    """What is told of a file of a folder that is of no use."""
    return f"passed over {told(why)}"


def nothing_in(folder: Path) -> Refused:
    """What a folder is refused with when all in it was passed over."""
    return Refused(f"{folder}: nothing in it can be imported")


def told(error: OSError | ValueError) -> str:
    """An error in a line that begins with the file."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error)
