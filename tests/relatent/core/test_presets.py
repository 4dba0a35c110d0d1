"""What a pack does for each preset."""

from __future__ import annotations

from typing import Any

import pytest

from relatent.core.presets import Preset, PresetChoice, presets_table, read_presets

CHOICES = {Preset.FAST: PresetChoice("encoder", 0), Preset.BEST: PresetChoice("feature", 100)}


def test_a_table_reads_back() -> None:
    assert read_presets(presets_table(CHOICES), ("encoder", "feature")) == CHOICES


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"fast": {"method": "magic", "steps": 1}}, r"presets\.fast\.method: expected one of the pack's"),
        ({"fast": {"method": "encoder", "steps": -1}}, r"presets\.fast\.steps: expected at least 0"),
        ({"soon": {"method": "encoder", "steps": 1}}, "soon"),
    ],
)
def test_a_table_of_something_else_is_refused_by_its_entry(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_presets(table, ("encoder",))
