"""Controls come into a pack whole, and leave all else as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from relatent.core.attributes import Attribute
from relatent.core.manifest import MANIFEST, read_manifest
from relatent.core.pack import read_pack
from relatent_export.nets.networks import Networks
from relatent_export.packs.controls import set_controls
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.packs.verifying import verify_pack

FACTS = PackFacts("small", "Small.", "Apache-2.0", "Random numbers.", {"encoder": 0.01, "mean": 0.02})
DESCRIBED = (
    Attribute("one", "the first", "deg", -30, 30, scale=30),
    Attribute("two", "the second", low=0, high=1, scale=0.5, offset=0.5),
    Attribute("three", "three", low=-1, high=1),
)


@pytest.fixture
def pack(small: Networks, tmp_path: Path) -> Path:
    write_pack(tmp_path / "small", FACTS, small, [])
    return tmp_path / "small"


def test_a_pack_is_given_descriptions_ranges_and_the_jacobian(pack: Path) -> None:
    before = read_manifest(pack / MANIFEST)
    assert read_pack(pack).controls is None
    found = set_controls(pack, DESCRIBED, codes=1)
    assert found.attributes == DESCRIBED
    assert found.controls is not None
    assert found.controls.jacobian.shape == (3, found.layers, found.width)
    assert "small_read" in found.served
    after = read_manifest(pack / MANIFEST)
    assert {key for key in before if before[key] != after[key]} == {"attributes", "files"}
    told: list[str] = []
    assert verify_pack(pack, told.append, told.append), told


def test_without_descriptions_ranges_are_measured_and_a_second_time_kept(pack: Path) -> None:
    first = set_controls(pack, codes=1)
    assert all(attribute.measured for attribute in first.attributes)
    again = set_controls(pack, codes=1)
    assert again.attributes == first.attributes
    assert again.controls is not None
    assert first.controls is not None
    np.testing.assert_array_equal(again.controls.jacobian, first.controls.jacobian)


def test_descriptions_of_other_attributes_are_refused(pack: Path) -> None:
    with pytest.raises(ValueError, match="attributes: expected one, two, three, got uno, two, three"):
        set_controls(pack, (replace(DESCRIBED[0], name="uno"), *DESCRIBED[1:]), codes=1)


def test_a_pack_that_reads_nothing_is_refused(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path / "small", FACTS, Networks(small.generator, small.encoder), [])
    with pytest.raises(ValueError, match="expected a pack that has an attribute network"):
        set_controls(tmp_path / "small")
