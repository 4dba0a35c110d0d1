"""Packs keep the names that their format has, whatever the code calls things."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from relatent.core.manifest import read_manifest
from relatent_export.nets.arcface import ArcFace, ArcFaceConfig
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.gradual_style import GradualStyleConfig, GradualStyleEncoder
from relatent_export.nets.lpips import Lpips, LpipsConfig, Stack
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.packs.pack import write_pack
from relatent_export.packs.weights import FORCED_ENCODER, load_networks, save_networks
from tests.export.packs.test_pack import INFO
from tests.fixtures.small import SMALL

BACKBONE: dict[str, Any] = {"channels": (4, 4, 6, 8, 10), "units": (1, 1, 1, 1), "reduction": 2}


def header(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        found: dict[str, Any] = json.loads(file.metadata()["config"])
    return found


@pytest.fixture
def imported(small: Networks) -> Networks:
    """A generator with the networks that are imported and not trained here."""
    encoder = GradualStyleConfig(
        **BACKBONE, resolution=32, layers=SMALL.layers, latent_width=SMALL.latent_width
    )
    return Networks(
        small.generator,
        GradualStyleEncoder(encoder),
        lpips=Lpips(LpipsConfig(Stack.ALEXNET, (4, 4, 4, 4, 4))),
        identity=ArcFace(ArcFaceConfig(**BACKBONE, resolution=32, embedding=8)),
    )


def test_headers_keep_their_fields_names_and_are_read_back(imported: Networks, tmp_path: Path) -> None:
    save_networks(imported, tmp_path)
    stored = header(tmp_path / "encoder.safetensors")
    assert (stored["widths"], stored["channels"], stored["resolution"]) == ([4, 4, 6, 8, 10], 3, 32)
    stored = header(tmp_path / "identity.safetensors")
    assert (stored["widths"], stored["channels"], stored["side"]) == ([4, 4, 6, 8, 10], 3, 32)
    assert header(tmp_path / "lpips.safetensors")["widths"] == [4] * 5
    copy = load_networks(tmp_path)
    for ours, theirs in (
        (copy.encoder, imported.encoder),
        (copy.lpips, imported.lpips),
        (copy.identity, imported.identity),
    ):
        assert isinstance(ours, GradualStyleEncoder | Lpips | ArcFace)
        assert isinstance(theirs, GradualStyleEncoder | Lpips | ArcFace)
        assert ours.config == theirs.config


def test_a_network_of_an_unknown_kind_is_taken_for_no_other(small: Networks, tmp_path: Path) -> None:
    save_networks(small, tmp_path)
    path = tmp_path / "generator.safetensors"
    stored = header(path) | {"kind": "stylegan4"}
    save_file({"weight": torch.ones(1)}, path, {"config": json.dumps(stored)})
    with pytest.raises(ValueError, match=r"kind: expected 'stylegan2' or 'stylegan1', got 'stylegan4'"):
        load_networks(tmp_path)


def test_weights_keep_the_names_that_revisions_are_made_of(small: Networks, tmp_path: Path) -> None:
    first = StyleGAN1(StyleGAN1Config(16, 4, 4, 1, 4, (4, 4, 4)))
    for generator, layer in ((small.generator, "colours.0"), (first, "colour")):
        networks = Networks(generator)
        save_networks(networks, tmp_path)
        with safe_open(tmp_path / "generator.safetensors", framework="pt") as file:
            kept = set(file.keys())
        assert {"synthesis.constant", f"synthesis.{layer}.bias"} <= kept
        assert not any("to_rgb" in name for name in kept)
        assert load_networks(tmp_path).revision == networks.revision


def test_a_forced_encoder_is_sealed_and_read_again_and_changes_no_revision(
    small: Networks, tmp_path: Path
) -> None:
    torch.manual_seed(1)
    encoder = Encoder(SMALL.layers, SMALL.latent_width, torch.ones(SMALL.latent_width), (8, 8, 8, 8), head=4)
    networks = replace(small, forced_encoder=encoder)
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    write_pack(tmp_path, INFO, networks, [])
    assert FORCED_ENCODER in read_manifest(tmp_path / "pack.toml")["files"]
    copy = load_networks(tmp_path)
    assert isinstance(copy.forced_encoder, Encoder)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.equal(copy.forced_encoder(image), encoder(image))
    assert copy.revision == networks.revision == small.revision
    write_pack(tmp_path, INFO, small, [])
    assert load_networks(tmp_path).forced_encoder is None


def test_a_forced_encoder_of_another_code_is_refused(small: Networks) -> None:
    encoder = Encoder(SMALL.layers + 1, SMALL.latent_width, torch.zeros(SMALL.latent_width), (8, 8, 8, 8))
    with pytest.raises(ValueError, match="forced_encoder: expected codes of 8 x 8, got 9 x 8"):
        replace(small, forced_encoder=encoder)
