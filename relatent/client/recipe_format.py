"""The document of a recipe: its values as JSON holds them, and back.

`recipe.schema.json`, beside this module, is the format.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from importlib import resources
from numbers import Integral, Real
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, cast

from relatent.client import schemas
from relatent.client.errors import InputError
from relatent.client.goals import Goal, Reach
from relatent.client.latents import LatentCode
from relatent.client.requests import Interpolate, InvertOptions, Mix, Move, Operation, Reduce, Truncate
from relatent.client.texts import Text
from relatent.client.transfers import Transfer
from relatent.client.within import Within
from relatent.core.stopping import Plateau

VERSION = 1
"""Of the format."""

Kept: TypeAlias = "LatentCode | os.PathLike[str]"
"""What of a recipe lies in files of its own: codes, and a picture by its path."""
Written: TypeAlias = Callable[[Kept, str], Any]
"""What stands in the document for what is kept in a file, at a place."""
LoadCode: TypeAlias = Callable[[Mapping[str, str], str], LatentCode]
"""The code that an entry of the document names, at a place."""

_KINDS: Mapping[str, type[Any]] = {
    "move": Move,
    "mix": Mix,
    "interpolate": Interpolate,
    "transfer": Transfer,
    "truncate": Truncate,
    "reduce": Reduce,
    "reach": Reach,
    "text": Text,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}
_MASKS = ("inversion.mask", "within.mask")
_BY_TIME = ("time_budget", "best_at_deadline")
_OF_ONE_CALL = ("no_cache",)
"""What decides nothing of what a recipe makes."""
_NOT_BY_TIME = "a recipe gives the same bytes each time, which an end by time would not"


@cache
def schema() -> schemas.Schema:
    """The format, as JSON Schema has it."""
    text = resources.files("relatent.client").joinpath("recipe.schema.json").read_text("utf-8")
    found: schemas.Schema = json.loads(text)
    return found


def check_version(document: Any) -> None:
    """Tell of a later format before anything in it is taken to be wrong."""
    version = document.get("version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > VERSION:
        raise InputError(f"version: expected {VERSION}, got {version}: a later Relatent wrote this recipe")


def document(
    operations: Sequence[Operation],
    inversion: InvertOptions,
    pack: str,
    within: Within | None,
    written: Written,
) -> dict[str, Any]:
    """A recipe's values as JSON holds them; what is at its default is left out.

    Raises:
        InputError: a value that no recipe holds, by its place.
    """
    options = {
        name: _value(value, f"inversion.{name}", written)
        for name, value in inversion.items()
        if name not in _OF_ONE_CALL
        and value is not None
        and not (isinstance(value, str | dict) and not value)
    }
    for name in _BY_TIME:
        if name in options:
            raise InputError(f"inversion.{name}: {_NOT_BY_TIME}")
    return {
        "version": VERSION,
        **({"pack": pack} if pack else {}),
        **({"inversion": options} if options else {}),
        **({} if within is None else {"within": _entry(within, "within", written)}),
        "operations": [
            {"kind": _kind(each, f"operations[{index}]"), **_entry(each, f"operations[{index}]", written)}
            for index, each in enumerate(operations)
        ],
    }


def read_operations(entries: Sequence[Mapping[str, Any]], code: LoadCode) -> tuple[Operation, ...]:
    """The operations of a document that was checked."""
    return tuple(_operation(entry, f"operations[{index}]", code) for index, entry in enumerate(entries))


def read_inversion(entry: Mapping[str, Any], folder: Path, code: LoadCode) -> InvertOptions:
    """How a document that was checked inverts images."""
    options = dict(entry)
    if isinstance(options.get("start"), dict):
        options["start"] = code(options["start"], "inversion.start")
    if "mask" in options:
        options["mask"] = folder / options["mask"]
    if "plateau" in options:
        options["plateau"] = Plateau(**options["plateau"])
    return cast(InvertOptions, options)


def read_within(entry: Mapping[str, Any] | None, folder: Path) -> Within | None:
    """Where the edit of a document that was checked shows."""
    return None if entry is None else Within(folder / entry["mask"], entry.get("feather", 0.0))


def _kind(operation: Operation, where: str) -> str:
    if type(operation) not in _NAMES:
        known = ", ".join(each.__name__ for each in _NAMES)
        raise InputError(f"{where}: expected one of {known}, got {type(operation).__name__}")
    if isinstance(operation, Reach) and operation.time_budget is not None:
        raise InputError(f"{where}.time_budget: {_NOT_BY_TIME}")
    return _NAMES[type(operation)]


def _entry(value: Any, where: str, written: Written) -> dict[str, Any]:
    """A dataclass's fields as a document has them, those at their defaults left out."""
    held = {each.name: (getattr(value, each.name), each.default) for each in fields(value)}
    return {
        name: _value(own, f"{where}.{name}", written)
        for name, (own, default) in held.items()
        if own != default
    }


def _value(value: Any, where: str, written: Written) -> Any:
    match value:
        case LatentCode() | os.PathLike():
            return written(value, where)
        case Goal() | Plateau():
            return _entry(value, where, written)
        case str() if where in _MASKS:
            return written(Path(value), where)
        case str():
            return str(value)  # of an enumeration, its value
        case bool():
            return value
        case Real():
            return _number(value, where)
        case Mapping():
            return {name: _value(each, f"{where}.{name}", written) for name, each in value.items()}
        case Sequence() if len(value) == 1 and isinstance(value[0], Real):
            return _value(value[0], where, written)
        case Sequence():
            return [_value(each, f"{where}[{index}]", written) for index, each in enumerate(value)]
        case _:
            raise InputError(f"{where}: a {type(value).__name__} cannot be kept in a recipe")


def _operation(
    entry: Mapping[str, Any], where: str, code: Callable[[Mapping[str, str], str], LatentCode]
) -> Operation:
    values: dict[str, Any] = {}
    for name, value in entry.items():
        match value:
            case {"file": _}:
                values[name] = code(value, f"{where}.{name}")
            case list() if name == "goals":
                values[name] = tuple(
                    Goal(**{key: _frozen(each) for key, each in goal.items()}) for goal in value
                )
            case _:
                values[name] = _frozen(value)
    operation: Operation = _KINDS[values.pop("kind")](**values)
    return operation


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _number(value: Real, where: str) -> int | float:
    """One number in one form, so that recipes with the same numbers are the same."""
    if not math.isfinite(value):
        raise InputError(f"{where}: expected a finite number, got {value}")
    if isinstance(value, Integral):
        return int(value)
    number = float(value)
    return int(number) if number.is_integer() else number


def relative(file: Path, folder: Path) -> str:
    """A file's path from a folder, with slashes on every system."""
    try:
        path = os.path.relpath(file, folder)
    except ValueError:  # on another drive
        path = os.path.abspath(file)
    return str(PurePosixPath(*Path(path).parts))
