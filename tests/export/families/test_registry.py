"""A family is one module and one line, and no network is taken for another family's than its own."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from relatent_export.checkpoints.errors import UnknownFile, UnsupportedFile
from relatent_export.families import nvlabs, registry, rosinality
from relatent_export.families.building import build_networks
from relatent_export.families.family import Part
from relatent_export.families.recognising import recognise
from tests.fixtures.checkpoints.encoders import ir_se_encoder_tensors
from tests.fixtures.checkpoints.families import LAYERS, SIDE, SMALL, WIDTH
from tests.fixtures.checkpoints.stylegan2 import rosinality_tensors

FAMILIES = (*registry.GENERATORS, *registry.ENCODERS, *registry.FEATURES, *registry.IDENTITIES)
TENSORS = rosinality_tensors(SMALL, WIDTH)


def test_every_family_says_what_it_is_and_what_its_licence_is_in_a_line_of_its_own() -> None:
    labels = [family.label for family in FAMILIES]
    assert len(labels) == len(set(labels))
    assert all(family.licence and family.licence.isprintable() for family in FAMILIES)
    folder = Path(registry.__file__).parent
    homes = [path for path in folder.glob("*.py") if re.search("^FAMILY = ", path.read_text(), re.MULTILINE)]
    assert len(homes) == len(FAMILIES), "a family's module is in the registry, once"


def test_a_family_that_is_added_to_the_registry_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def original(part: Part) -> Part:
        return Part(part.what, {name.removeprefix("new_"): each for name, each in part.tensors.items()})

    added = dataclasses.replace(
        rosinality.FAMILY,
        label="new",
        marks=(("new_style.1.weight", "new_conv1.conv.weight"),),
        config=lambda part: rosinality.generator_config(original(part)),
        build=lambda part: rosinality.build(original(part)),
    )
    torch.save({f"new_{name}": tensor for name, tensor in TENSORS.items()}, tmp_path / "new.pt")
    with pytest.raises(UnknownFile, match="tensors of no family that we know"):
        recognise(tmp_path / "new.pt")
    monkeypatch.setattr(registry, "GENERATORS", (*registry.GENERATORS, added))
    contents = recognise(tmp_path / "new.pt")
    assert contents.origin.label == "new"
    assert build_networks([contents]).generator.config.resolution == 16


def test_a_network_that_two_families_claim_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = dataclasses.replace(nvlabs.FAMILY, marks=rosinality.FAMILY.marks)
    monkeypatch.setattr(registry, "GENERATORS", (*registry.GENERATORS, twin))
    torch.save(TENSORS, tmp_path / "g.pt")
    with pytest.raises(UnsupportedFile, match="tensors of StyleGAN2, rosinality and StyleGAN2-ADA, NVIDIA"):
        recognise(tmp_path / "g.pt")


def test_an_encoder_of_an_unknown_type_is_taken_for_no_other(tmp_path: Path) -> None:
    encoder = ir_se_encoder_tensors(LAYERS, width=WIDTH, resolution=SIDE)
    torch.save({"state_dict": encoder, "opts": {"encoder_type": "SwinEncoder"}}, tmp_path / "e.pt")
    with pytest.raises(UnsupportedFile, match="encoder_type 'SwinEncoder' is not supported; GradualStyle"):
        recognise(tmp_path / "e.pt")


def test_a_generator_that_loses_its_family_is_refused_and_not_guessed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shy = dataclasses.replace(rosinality.FAMILY, claims=lambda part: False)
    others = tuple(family for family in registry.GENERATORS if family is not rosinality.FAMILY)
    monkeypatch.setattr(registry, "GENERATORS", (shy, *others))
    torch.save(TENSORS, tmp_path / "g.pt")
    with pytest.raises(UnsupportedFile, match=r"g\.pt: a generator of no family that we know"):
        recognise(tmp_path / "g.pt")
