"""Directions as packs hold them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w

from relatent.core.directions import Direction
from relatent.core.manifest import MANIFEST, PackError
from relatent.core.pack import read_pack
from relatent.core.spaces import Space
from tests.fixtures import tiny
from tests.fixtures.directions import add_directions


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    packs, _ = tiny.write_tiny(tmp_path)
    return packs / "tiny"


def direction(**changes: Any) -> Direction:
    fields: dict[str, Any] = {
        "name": "pose",
        "vector": np.eye(*tiny.CODE, dtype=np.float32),
        "bias": 0.5,
        "attribute": "",
        "first_layer": 0,
        "last_layer": 1,
        "calibration": 0.0,
        "min_strength": -5.0,
        "max_strength": 5.0,
    }
    return Direction(**fields | changes)


def altered(pack: Path, **changes: Any) -> str:
    """What is said of the pack once its first direction's entry is another."""
    manifest = tomllib.loads((pack / MANIFEST).read_text())
    manifest["directions"][0] |= changes
    (pack / MANIFEST).write_text(tomli_w.dumps(manifest))
    with pytest.raises(PackError) as caught:
        read_pack(pack)
    return str(caught.value)


def test_a_manifest_from_before_means_rows_of_length_1_in_w_plus(pack: Path) -> None:
    for found in read_pack(pack).directions.values():
        assert found.lengths == (1.0, 1.0)
        assert found.space is Space.W_PLUS
        assert (found.licence, found.source) == ("", "")


def test_what_is_written_of_directions_is_read_again(pack: Path) -> None:
    flat = np.eye(1, tiny.Z_WIDTH, dtype=np.float32)
    steep = direction(lengths=(0.25, 3.5), space=Space.W, licence="MIT", source="e4e")
    before = direction(name="age", vector=flat, space=Space.Z, last_layer=0)
    depth = direction(name="depth", space=Space.P, licence="MIT")
    add_directions(pack, [steep, before, depth])
    found = read_pack(pack).directions
    for written in (steep, before, depth):
        read = found[written.name]
        np.testing.assert_array_equal(read.vector, written.vector)
        for name in ("lengths", "space", "licence", "source", "bias", "min_strength", "last_layer"):
            assert getattr(read, name) == getattr(written, name)
    assert found["age"].lengths == (1.0,)
    text = (pack / MANIFEST).read_text()
    assert text.count("lengths = ") == text.count("licence = ") - 2 == 1


def test_a_direction_of_z_is_as_wide_as_what_the_mapping_takes(pack: Path) -> None:
    add_directions(pack, [direction(name="age", space=Space.Z)])
    with pytest.raises(PackError, match=r"age: expected float32 \[1, 4\], got float32 \[2, 4\]"):
        read_pack(pack)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"lengths": [1.0]}, "lengths: expected 2 numbers, got [1.0]"),
        ({"lengths": []}, "lengths: expected 2 numbers, got []"),
        ({"lengths": 1.0}, "lengths: expected 2 numbers, got 1.0"),
        ({"lengths": [1.0, "2"]}, "lengths: expected 2 numbers, got [1.0, '2']"),
        ({"lengths": [1.0, True]}, "lengths: expected 2 numbers, got [1.0, True]"),
        ({"lengths": [1.0, -0.5]}, "lengths[1]: expected a finite number of at least 0, got -0.5"),
        ({"lengths": [float("nan"), 1.0]}, "lengths[0]: expected a finite number of at least 0, got nan"),
        ({"lengths": [1.0, float("inf")]}, "lengths[1]: expected a finite number of at least 0, got inf"),
        ({"lengths": [1.0, 1e39]}, "lengths[1]: expected a finite number of at least 0, got 1e+39"),
        ({"space": "x"}, "space: expected one of z, w, w+, p, s, got 'x'"),
        ({"space": 1}, "space: expected one of z, w, w+, p, s, got 1"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_entry_that_is_no_directions_is_refused_by_its_field(
    pack: Path, changes: dict[str, Any], says: str
) -> None:
    said = altered(pack, **changes)
    assert said.startswith(f"{pack / MANIFEST}: ")
    assert says in said
    if "colour" not in changes:
        assert "direction 'brightness'" in said
