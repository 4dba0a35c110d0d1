"""Operations on codes as words of a command line have them."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path

from relatent.cli import arguments
from relatent.client.errors import InputError
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.requests import Interpolate, Mix, Move, Operation, Truncate
from relatent.client.texts import Text
from relatent.client.transfers import Transfer


@dataclass(frozen=True)
class ParsedOperation:
    """An operation as it was asked for, and the files of its other codes, in the order of its fields."""

    operation: Operation
    files: tuple[Path, ...] = ()


def move(text: str) -> ParsedOperation:
    """A move along a direction, by one strength or several."""
    name, value = _assignment(text, "DIRECTION=STRENGTH, such as smile=1.5")
    return ParsedOperation(Move(name, arguments.numbers(value)))


def z_move(text: str) -> Move:
    """A move of what samples are drawn from."""
    name, value = _assignment(text, "DIRECTION=STRENGTH, such as age=1.5")
    try:
        return Move(name, float(value))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected one number, got {value!r}") from None


def mix(text: str) -> ParsedOperation:
    """Layers of another code."""
    file, value = _assignment(text, f"FILE{SUFFIX}=LAYERS")
    return ParsedOperation(Mix(_load(file), arguments.layers(value)), (Path(file),))


def towards(text: str) -> ParsedOperation:
    """A part of the way to another code."""
    file, value = _assignment(text, f"FILE{SUFFIX}=AMOUNT")
    return ParsedOperation(Interpolate(_load(file), arguments.numbers(value)), (Path(file),))


def transfer(text: str) -> ParsedOperation:
    """The difference of two other codes."""
    expected = f"FROM{SUFFIX},TO{SUFFIX}=AMOUNT"
    pair, value = _assignment(text, expected)
    # Names may hold commas, but hardly what ends the first one.
    source, found, target = pair.partition(f"{SUFFIX},")
    if not found or not target:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    files = (Path(source + SUFFIX), Path(target))
    before, after = (_load(str(file)) for file in files)
    return ParsedOperation(Transfer(before, after, arguments.numbers(value)), files)


def text_move(text: str) -> ParsedOperation:
    """A prompt, and the strengths after its last equals sign where numbers stand there."""
    prompt, _, value = text.rpartition("=")
    try:
        strengths = arguments.numbers(value) if prompt else None
    except argparse.ArgumentTypeError:
        if re.fullmatch(r"[-+.,:\d]*\d[-+.,:\d]*", value):  # nobody's words, but numbers gone wrong
            raise
        prompt, strengths = text, None
    return ParsedOperation(Text(prompt or text, strength=strengths))


def norm(text: str) -> float:
    """A number of at least 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return value


def truncation(text: str) -> ParsedOperation:
    """A pull towards the mean."""
    try:
        return ParsedOperation(Truncate(float(text)))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}") from None


def _assignment(text: str, expected: str) -> tuple[str, str]:
    left, _, right = text.rpartition("=")
    if not left or not right:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return left, right


def _load(file: str) -> LatentCode:
    try:
        return LatentCode.load(file)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
