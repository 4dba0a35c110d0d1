"""An image network of somebody else's: what to give it, and what to take from it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from relatent.core.attributes import Attribute


class Layout(StrEnum):
    """Where an image's channels are."""

    NCHW = "NCHW"
    NHWC = "NHWC"


class Colour(StrEnum):
    """What an image's channels are."""

    RGB = "RGB"
    BGR = "BGR"
    GREY = "GREY"


class Activation(StrEnum):
    """What is made of a network's numbers."""

    NONE = "none"
    SIGMOID = "sigmoid"
    SOFTMAX = "softmax"


@dataclass(frozen=True)
class TakenAttribute:
    """One of a network's numbers that becomes an attribute.

    Attributes:
        attribute: what people shall see of it.
        index: which of the output's numbers.
    """

    attribute: Attribute
    index: int


@dataclass(frozen=True)
class ImageNetwork:
    """An ONNX network that reads images, and what to give it and take from it.

    Attributes:
        file: the graph's.
        layout: of its input; None: as the graph's shapes tell.
        colour: of its input.
        size: its input's height and width; None: the graph's.
        low, high: what black and white become before `mean` and `std`.
        mean, std: a channel's number is (number - mean) / std; one for each channel, or one for all.
        output: the graph's; empty: the only one.
        activation: of the output's numbers.
        names: of the output's numbers, in order; empty where they have none.
        taken: those that become attributes; empty: all.
        source: what errors name: the description, or the graph's file.
    """

    file: Path
    layout: Layout | None = None
    colour: Colour = Colour.RGB
    size: tuple[int, int] | None = None
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    output: str = ""
    activation: Activation = Activation.NONE
    names: tuple[str, ...] = ()
    taken: tuple[TakenAttribute, ...] = ()
    source: Path = Path()

    def __post_init__(self) -> None:
        if self.source == Path():
            object.__setattr__(self, "source", self.file)
        for key, numbers in (("range", (self.low, self.high)), ("mean", self.mean), ("std", self.std)):
            if not all(math.isfinite(number) for number in numbers):
                raise self.wrong(key, "finite numbers", list(numbers))
        if self.low == self.high:
            raise self.wrong("range", "two numbers that differ", [self.low, self.high])
        for key, numbers in (("mean", self.mean), ("std", self.std)):
            if len(numbers) not in (1, self.channels):
                raise self.wrong(key, f"one number, or {self.channels} for {self.colour}", list(numbers))
        if 0 in self.std:
            raise self.wrong("std", "numbers other than 0", list(self.std))
        if self.size is not None and min(self.size) < 1:
            raise self.wrong("size", "a height and a width of 1 or more", list(self.size))

    @property
    def channels(self) -> int:
        """How many channels its input has."""
        return 1 if self.colour is Colour.GREY else 3

    def wrong(self, key: str, expected: str, got: Any) -> ValueError:
        """An error about one key."""
        return ValueError(f"{self.source}: {key}: expected {expected}, got {got!r}")

    def attributes_of(self, count: int) -> tuple[TakenAttribute, ...]:
        """What is taken of an output of so many numbers.

        Raises:
            ValueError: it has not as many as are named or taken.
        """
        if self.names and len(self.names) != count:
            raise self.wrong("names", f"{count}, one for each number of the output", len(self.names))
        if self.taken:
            for place, each in enumerate(self.taken):
                if each.index >= count:
                    raise self.wrong(f"attributes[{place}].index", f"less than {count}", each.index)
            return self.taken
        if self.names:
            names = self.names
        else:
            stem = re.sub(r"[^a-z0-9_]", "_", self.file.stem.lower()).lstrip("_0123456789") or "attribute"
            names = (stem,) if count == 1 else tuple(f"{stem}_{index}" for index in range(count))
        return tuple(TakenAttribute(Attribute(name, name), index) for index, name in enumerate(names))
