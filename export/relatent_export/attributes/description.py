"""What a file does not say of an image network: a description in TOML beside it.

# smile.toml; every key but `file` may be left out
file = "smile.onnx"             # beside this file
layout = "NCHW"                 # or NHWC; as the graph's shapes tell if left out
colour = "RGB"                  # RGB, BGR or GREY
size = [224, 224]               # height and width; the graph's if it fixes them
range = [0, 1]                  # what black and white become; [0, 255] keeps bytes as they are
mean = [0.485, 0.456, 0.406]    # taken off after that, in the order of the network's channels
std = [0.229, 0.224, 0.225]     # and then divided by; one number stands for every channel
output = "logits"               # of the graph's outputs; the only one if left out
activation = "softmax"          # none, sigmoid or softmax, over all numbers of the output
names = ["neutral", "smile"]    # of the output's numbers, in order

[[attributes]]                  # those to take; all of `names` if left out
name = "smile"
index = 1                       # which number; as `names` has it, or in order, if left out
label = "Smile"
unit = "%"
scale = 100                     # a value is offset + scale * number
offset = 0
low = 0                         # the values that make sense; measured on samples if left out
high = 100
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from relatent.core.attributes import Attribute
from relatent.core.methods import NAME
from relatent_export.attributes.network import Activation, Colour, ImageNetwork, Layout, TakenAttribute

_KEYS = (
    *("file", "layout", "colour", "size", "range", "mean", "std", "output", "activation", "names"),
    "attributes",
)
_ATTRIBUTE_KEYS = ("name", "index", "label", "unit", "low", "high", "scale", "offset")


def read_networks(files: Sequence[Path], said: Mapping[str, Any] | None = None) -> tuple[ImageNetwork, ...]:
    """Read descriptions of networks.

    Args:
        files: ONNX graphs, and descriptions, whose names end in .toml.
        said: keys of the description of those that are graphs themselves.

    Raises:
        ValueError: a description is not what it must be, two attributes share a name, or something is said
            though every file has a description; names the file and the key.
        OSError: a file cannot be read; names it.
    """
    graphs = [file for file in files if file.suffix.lower() != ".toml"]
    if said and not graphs:
        raise ValueError(f"{files[0]}: {next(iter(said))}: expected in the file, which describes its network")
    return tuple(
        read_table(file, {"file": file.name, **(said or {})}) if file in graphs else read_description(file)
        for file in files
    )


def read_description(path: Path) -> ImageNetwork:
    """Read a description.

    Raises:
        ValueError: it is not what it must be; names the file and the key.
        OSError: it cannot be read; names it.
    """
    try:
        table = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected TOML: {error}") from error
    return read_table(path, table)


def read_table(source: Path, table: Mapping[str, Any]) -> ImageNetwork:
    """Read a description's keys; the graph lies beside `source`.

    Raises:
        ValueError: a key is unknown, or its value not what it must be; names the source and the key.
    """
    keys = _Keys(source, table, _KEYS)
    low, high = keys.numbers("range", 2) or (0.0, 1.0)
    size = keys.numbers("size", 2)
    if size is not None and any(side != int(side) for side in size):
        raise keys.wrong("size", "whole numbers of pixels")
    names = keys.texts("names")
    network = ImageNetwork(
        file=source.parent / keys.text("file", None),
        layout=Layout(keys.choice("layout", Layout)) if "layout" in table else None,
        colour=Colour(keys.choice("colour", Colour)) if "colour" in table else Colour.RGB,
        size=None if size is None else (int(size[0]), int(size[1])),
        low=low,
        high=high,
        mean=keys.numbers("mean") or (0.0,),
        std=keys.numbers("std") or (1.0,),
        output=keys.text("output", ""),
        activation=Activation(keys.choice("activation", Activation) if "activation" in table else "none"),
        names=names,
        source=source,
    )
    entries = table.get("attributes", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise keys.wrong("attributes", "tables, [[attributes]]")
    taken = [_taken(source, place, entry, names) for place, entry in enumerate(entries)]
    for place, name in enumerate(names):
        if not taken and not re.fullmatch(NAME, name):
            raise network.wrong(f"names[{place}]", "lower-case letters, digits and underscores", name)
    return replace(network, taken=tuple(taken))


def _taken(source: Path, place: int, entry: Mapping[str, Any], names: Sequence[str]) -> TakenAttribute:
    where = f"attributes[{place}]."
    keys = _Keys(source, entry, _ATTRIBUTE_KEYS, where)
    name = keys.text("name", None)
    if not re.fullmatch(NAME, name):
        raise keys.wrong("name", "lower-case letters, digits and underscores")
    index = entry.get("index", names.index(name) if name in names else None if names else place)
    if index is None:
        raise keys.wrong("name", f"one of names, {', '.join(names)}, or an index")
    if isinstance(index, bool) or not isinstance(index, int) or index < 0:
        raise keys.wrong("index", "a whole number, 0 or more")
    try:
        attribute = Attribute(
            name,
            keys.text("label", name),
            keys.text("unit", ""),
            **{key: keys.number(key) for key in ("low", "high", "scale", "offset") if key in entry},
        )
    except ValueError as error:
        raise error if str(error).startswith(str(source)) else ValueError(f"{source}: {error}") from error
    return TakenAttribute(attribute, index)


class _Keys:
    """A table's keys, with errors that say whose they are."""

    def __init__(self, source: Path, table: Mapping[str, Any], known: Sequence[str], where: str = "") -> None:
        self._source, self._table, self._where = source, table, where
        for key in table:
            if key not in known:
                raise ValueError(f"{source}: {where}{key}: expected one of {', '.join(known)}")

    def wrong(self, key: str, expected: str) -> ValueError:
        got = self._table.get(key)
        return ValueError(f"{self._source}: {self._where}{key}: expected {expected}, got {got!r}")

    def text(self, key: str, default: str | None) -> str:
        value = self._table.get(key, default)
        if not isinstance(value, str) or (default is None and not value):
            raise self.wrong(key, "a text")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._table.get(key, [])
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise self.wrong(key, "a list of texts")
        if len(set(value)) < len(value):
            raise self.wrong(key, "each name once")
        return tuple(value)

    def choice(self, key: str, choices: type[StrEnum]) -> str:
        for choice in choices:
            if str(self._table[key]).lower() == choice.lower():
                return choice
        raise self.wrong(key, f"one of {', '.join(choices)}")

    def number(self, key: str) -> float:
        value = self._table[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(key, "a number")
        return float(value)

    def numbers(self, key: str, count: int = 0) -> tuple[float, ...] | None:
        if key not in self._table:
            return None
        value = self._table[key]
        values = value if isinstance(value, list | tuple) else [value]
        if any(isinstance(each, bool) or not isinstance(each, int | float) for each in values):
            raise self.wrong(key, "numbers")
        if not values or (count and len(values) != count):
            raise self.wrong(key, f"{count or 'one or more'} numbers")
        return tuple(map(float, values))
