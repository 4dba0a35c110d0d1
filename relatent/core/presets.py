"""What a person asks for who does not care which method: fast, balanced or best."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Preset(StrEnum):
    """How much time an inversion may take for its quality; each pack says what it does for each."""

    FAST = "fast"
    """The least that gives a code."""
    BALANCED = "balanced"
    """Most of the quality for a part of the time."""
    BEST = "best"
    """The closest reconstruction that edits as well."""


@dataclass(frozen=True)
class PresetChoice:
    """What a pack does for a preset.

    Attributes:
        method: by name.
        steps: of refinement.
    """

    method: str
    steps: int


def read_presets(table: Mapping[str, Any], methods: Collection[str]) -> dict[Preset, PresetChoice]:
    """Read the table `presets` of a manifest.

    Raises:
        ValueError, KeyError, TypeError: a field is missing or not what it must be.
    """
    presets = {}
    for name, entry in table.items():
        choice = PresetChoice(str(entry["method"]), int(entry["steps"]))
        if choice.method not in methods:
            raise ValueError(f"presets.{name}.method: expected one of the pack's, got {choice.method!r}")
        if choice.steps < 0:
            raise ValueError(f"presets.{name}.steps: expected at least 0, got {choice.steps}")
        presets[Preset(name)] = choice
    return presets


def presets_table(presets: Mapping[Preset, PresetChoice]) -> dict[str, Any]:
    """The table `presets` of a manifest."""
    return {str(preset): asdict(choice) for preset, choice in presets.items()}
