"""Progress bars, for terminals alone: into a file or a pipe a bar would write itself again and again."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm


def progress(*arguments: Any, **options: Any) -> tqdm[Any]:
    """Tqdm with its own arguments, which draws nothing where standard error is no terminal."""
    return tqdm(*arguments, **{"disable": None, **options})


def printable(text: str) -> str:
    """A text as it is but for line ends, what would steer a terminal and what is none, as in files' names."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text
    )


def tell(line: str) -> None:
    """Write a line to standard error, above a bar if one is drawn there."""
    tqdm.write(printable(line), file=sys.stderr)
