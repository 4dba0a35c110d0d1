"""A pack as it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from relatent.core.directions import Direction
from relatent.core.manifest import PackError
from relatent.core.pack import read_pack
from relatent_export.nets.coordinates import Coordinates
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.packs.weights import load_networks

INFO = PackFacts(
    "small", "Random networks.", "Apache-2.0", "Random numbers.", {"encoder": 0.02, "mean": 0.05}
)


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def direction(small: Networks) -> Direction:
    config = small.generator.config
    vector = np.zeros((config.layers, config.latent_width), np.float32)
    vector[:, 0] = 1
    return Direction("first", vector, 0.0, "one", 0, config.layers - 1, 0.0, -1.0, 1.0)


def test_whoever_may_look_into_the_folder_may_read_every_file(
    small: Networks, direction: Direction, tmp_path: Path, usual_umask: None
) -> None:
    # One of an earlier pack, that only its owner may read.
    (tmp_path / "latents.safetensors").touch(mode=0o600)
    write_pack(tmp_path, INFO, small, [direction])
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    assert len(modes) == 7
    assert set(modes.values()) == {"0o644"}, modes


def test_what_is_written_is_read_again(small: Networks, direction: Direction, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [direction])
    pack = read_pack(tmp_path)
    assert (pack.name, pack.revision) == ("small", small.revision)
    np.testing.assert_array_equal(pack.mean[0], small.generator.mapping.mean.numpy())
    np.testing.assert_array_equal(pack.directions["first"].vector, direction.vector)
    write_pack(tmp_path / "plain", INFO, small, [])
    assert read_pack(tmp_path / "plain").directions == {}


def test_coordinates_are_sealed_and_read_again_and_those_of_an_earlier_pack_do_not_stay(
    small: Networks, tmp_path: Path
) -> None:
    assert small.coordinates is not None
    write_pack(tmp_path, INFO, small, [])
    assert torch.equal(load_networks(tmp_path).bases["w"].basis, small.coordinates.basis)
    state = read_pack(tmp_path).default_method.state
    config = small.generator.config
    assert state["w.m"].shape == state["w.v"].shape == (small.coordinates.numbers,)
    assert state["w"].shape == state["best_w"].shape == (config.layers, config.latent_width)
    (tmp_path / "coordinates.safetensors").write_bytes(b"altered")
    with pytest.raises(PackError, match=r"coordinates\.safetensors: SHA-256 differs"):
        read_pack(tmp_path)
    write_pack(tmp_path, INFO, replace(small, coordinates=None), [])
    assert load_networks(tmp_path).bases == {}
    assert read_pack(tmp_path).default_method.state["w.m"].shape == (config.layers, config.latent_width)


def test_coordinates_of_another_code_are_refused(small: Networks) -> None:
    with pytest.raises(ValueError, match=r"basis: expected \[64, M\], got \[63, 5\]"):
        replace(small, coordinates=Coordinates(torch.ones(63, 5)))
