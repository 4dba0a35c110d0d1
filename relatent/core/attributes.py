"""Attributes: what a pack's network reads off images, in units that people use.

A network answers numbers of its own, *readings*. A *value* is what people see of one, in the attribute's
unit: offset + scale * reading.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNITS: Mapping[str, tuple[str, ...]] = {
    "deg": ("deg", "degree", "degrees", "°"),
    "years": ("years", "year", "y"),
    "%": ("%", "percent"),
}
"""Units and how people write them; any other is written in one way."""


@dataclass(frozen=True)
class Attribute:
    """One of the numbers that a pack's attribute network answers.

    Attributes:
        name: unique in the pack.
        label: what people call it.
        unit: of its values; empty for a number without one.
        low, high: the values that make sense; both 0 where they were not measured.
        scale, offset: a reading's value is offset + scale * reading; the scale is not 0.
    """

    name: str
    label: str
    unit: str = ""
    low: float = 0.0
    high: float = 0.0
    scale: float = 1.0
    offset: float = 0.0

    def __post_init__(self) -> None:
        for key in ("low", "high", "scale", "offset"):
            if not math.isfinite(value := getattr(self, key)):
                raise ValueError(f"attribute {self.name!r}: {key}: expected a finite number, got {value!r}")
        if self.scale == 0:
            raise ValueError(f"attribute {self.name!r}: scale: expected a number other than 0")
        if self.low > self.high:
            raise ValueError(
                f"attribute {self.name!r}: low: expected at most high, {self.high:g}, got {self.low:g}"
            )

    @property
    def measured(self) -> bool:
        """Whether its range is known."""
        return self.low < self.high

    @property
    def width(self) -> float:
        """How far its range goes, in readings."""
        return (self.high - self.low) / abs(self.scale)

    def value(self, reading: float) -> float:
        """What people see of a reading."""
        return self.offset + self.scale * reading

    def reading(self, value: float) -> float:
        """The reading that people see as a value."""
        return (value - self.offset) / self.scale

    def has_unit(self, text: str) -> bool:
        """Whether a text names its unit; none does, too."""
        return not text or text.lower() in UNITS.get(self.unit, (self.unit.lower(),))


def read_attribute(entry: Any) -> Attribute:
    """Read an attribute off its entry in a manifest: its name alone, or a table.

    Raises:
        ValueError, KeyError, TypeError: a field is missing or not what it must be.
    """
    if isinstance(entry, str):
        return Attribute(entry, entry)
    numbers = {key: float(entry[key]) for key in ("low", "high", "scale", "offset") if key in entry}
    name = str(entry["name"])
    return Attribute(name, str(entry.get("label", name)), str(entry.get("unit", "")), **numbers)


def attribute_entry(attribute: Attribute) -> str | dict[str, Any]:
    """An attribute's entry in a manifest: its name alone where nothing else is known of it."""
    if attribute == Attribute(attribute.name, attribute.name):
        return attribute.name
    return {
        "name": attribute.name,
        "label": attribute.label,
        "unit": attribute.unit,
        "low": attribute.low,
        "high": attribute.high,
        "scale": attribute.scale,
        "offset": attribute.offset,
    }
