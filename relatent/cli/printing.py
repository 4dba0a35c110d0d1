"""How names and errors are put, so that any terminal, pipe and program can take them."""

from __future__ import annotations

import os
import sys
from pathlib import PurePath

from relatent.client.errors import RelatentError


def survive_any_encoding() -> None:
    """Let standard output and error write what their encoding lacks as escapes, rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


class OutputError(RelatentError):
    """The answer cannot be written."""


def say(text: str) -> None:
    """Write a line, or several, to standard output, and see that it gets there.

    Raises:
        BrokenPipeError: whoever read has enough of it.
        OutputError: it cannot be written.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        # What is left over Python would write at its end, and fail once more with a traceback.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise OutputError(f"standard output: {error.strerror}") from error


def told(error: BaseException) -> str:
    """An error in one line; one of the system's by the file's name and what is wrong with it."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return one_line(f"{where}{error.strerror}")
    return one_line(str(error))


def one_line(text: object) -> str:
    """Text without line breaks and other control characters, which a file's name may hold."""
    return "".join(
        character if character.isprintable() or not _controls(character) else f"\\x{ord(character):02x}"
        for character in str(text)
    )


def is_plain(path: PurePath) -> bool:
    """Whether a path is text: one may hold bytes that are none."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(text: str) -> str:
    """Text with a replacement character for each byte of a file's name that is none."""
    return "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in text)


def _controls(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"
