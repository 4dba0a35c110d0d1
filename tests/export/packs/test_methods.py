"""A pack is given other methods by its manifest alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from relatent.core.pack import read_pack
from relatent.core.presets import Preset
from relatent.core.spaces import Space
from relatent_export.cli import main
from relatent_export.nets.networks import Networks
from relatent_export.objectives.methods import LIGHT, METHODS
from relatent_export.packs.methods import set_methods
from relatent_export.packs.pack import write_pack
from tests.export.packs.test_pack import INFO


def test_a_pack_has_the_light_methods_until_it_is_given_others(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [])
    before = read_pack(tmp_path)
    assert tuple(before.methods) == LIGHT
    assert before.presets[Preset.FAST].method == "encoder"
    assert main(["methods", str(tmp_path), "feature", "force_in_domain", "hybrid"]) == 0
    pack = read_pack(tmp_path)
    assert tuple(pack.methods) == ("feature", "hybrid")  # it has no forced encoder
    assert (pack.revision, pack.mean.shape) == (before.revision, before.mean.shape)
    assert pack.methods["hybrid"] == before.methods["hybrid"]
    assert Space.FEATURE in pack.spaces
    assert "small_synthesize_feature" in pack.served
    assert pack.presets[Preset.BEST].method == "feature"
    assert pack.domain is not None
    assert pack.domain.typical_cycle > 0


def test_all_are_given_that_the_networks_allow_where_none_is_named(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, replace(small, encoder=None), [])
    assert main(["methods", str(tmp_path)]) == 0
    pack = read_pack(tmp_path)
    assert set(METHODS) - set(pack.methods) == {"encoder", "in_domain", "force_in_domain", "text"}
    assert pack.domain is None


def test_an_unknown_method_is_told_by_its_name(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [])
    with pytest.raises(ValueError, match=r"methods: expected some of hybrid, .* got 'magic'"):
        set_methods(tmp_path, ["magic"])
    with pytest.raises(ValueError, match="allow none of force_in_domain"):
        set_methods(tmp_path, ["force_in_domain"])
