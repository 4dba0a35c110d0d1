"""Packs that know texts, written once."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from relatent_export.cli import main
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import write_pack
from tests.export.packs.test_pack import INFO
from tests.export.text.pairs import write_pair


@pytest.fixture(scope="session")
def pair_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small image-text pair's files, as somebody else would have made them."""
    return write_pair(tmp_path_factory.mktemp("pair"))


@pytest.fixture(scope="session")
def worded_packs(small: Networks, pair_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packs `own`, with attributes of its own, and `bare`, without: both were given a pair."""
    folder = tmp_path_factory.mktemp("worded")
    bare = replace(small, attributes=None, attribute_names=())
    for name, networks in (("own", small), ("bare", bare)):
        write_pack(folder / name, INFO, networks, [])
        assert main(["text", str(folder / name), str(pair_folder), "--beta", "0.05"]) == 0
    return folder


@pytest.fixture
def worded(worded_packs: Path, tmp_path: Path) -> Path:
    """Copies that a test may change."""
    return Path(shutil.copytree(worded_packs, tmp_path / "worded"))
