"""A pack as it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from export.networks import Networks
from export.pack import PackInfo, write_pack
from relatent.pack import Direction, read_pack

INFO = PackInfo("small", "Random networks.", "Apache-2.0", "Random numbers.", {"encoder": 0.02, "mean": 0.05})


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
    assert len(modes) == 6
    assert set(modes.values()) == {"0o644"}, modes


def test_what_is_written_is_read_again(small: Networks, direction: Direction, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [direction])
    pack = read_pack(tmp_path)
    assert (pack.name, pack.revision) == ("small", small.revision)
    np.testing.assert_array_equal(pack.mean[0], small.generator.mapping.mean.numpy())
    np.testing.assert_array_equal(pack.directions["first"].vector, direction.vector)
    write_pack(tmp_path / "plain", INFO, small, [])
    assert read_pack(tmp_path / "plain").directions == {}
