"""Packs with attributes of somebody else's: given, measured anew, exported and checked."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from relatent.core.pack import file_digest, read_pack
from relatent_export.attributes.graphs import ATTRIBUTE_GRAPH
from relatent_export.cli import main
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import write_pack
from relatent_export.packs.weights import load_networks
from relatent_export.triton.graphs import roles
from tests.export.attributes.networks import write_means
from tests.export.packs.test_pack import INFO

NAMES = ("red", "green", "blue")


@pytest.fixture(scope="module")
def given(small: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack without attributes that was given some by the command line."""
    folder = tmp_path_factory.mktemp("given")
    write_pack(folder / "small", INFO, replace(small, attributes=None, attribute_names=()), [])
    flags = ["--attribute-names", ",".join(NAMES), "--attribute-range", "0,100", "--codes", "2"]
    file = str(write_means(folder / "means.onnx"))
    assert main(["attributes", str(folder / "small"), file, *flags]) == 0
    return folder / "small"


@pytest.fixture
def pack(given: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(given, tmp_path / "small"))


def test_a_pack_is_given_attributes_and_stays_whole(given: Path, small: Networks) -> None:
    pack, networks = read_pack(given), load_networks(given)
    assert main(["verify", str(given)]) == 0
    assert pack.attribute_names == networks.attribute_names == NAMES
    assert pack.revision == small.revision
    assert pack.controls is not None
    assert pack.controls.codes == 2
    assert all(0 < attribute.low < attribute.high < 100 for attribute in pack.attributes)
    assert "attributes" in roles(networks)


def test_controls_are_measured_anew(pack: Path) -> None:
    before = read_pack(pack)
    assert main(["controls", str(pack), "--codes", "3"]) == 0
    after = read_pack(pack)
    assert after.controls is not None
    assert after.controls.codes == 3
    assert after.attributes == before.attributes
    assert main(["verify", str(pack)]) == 0


def test_another_network_takes_the_place_of_the_one_before(pack: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'file = "m.onnx"\n[[attributes]]\nname = "warm"\nlow = 0.1\nhigh = 0.9'
    )
    write_means(tmp_path / "m.onnx")
    assert main(["attributes", str(pack), str(tmp_path / "own.toml"), "--codes", "1"]) == 0
    (warm,) = read_pack(pack).attributes
    assert (warm.name, warm.low, warm.high) == ("warm", 0.1, 0.9)
    assert main(["verify", str(pack)]) == 0


def test_a_network_of_the_packs_own_is_not_replaced(
    small: Networks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pack(tmp_path / "own", INFO, small, [])
    file = write_means(tmp_path / "means.onnx")
    assert main(["attributes", str(tmp_path / "own"), str(file)]) == 1
    assert "expected a pack without an attribute network of its own" in capsys.readouterr().err


def test_what_is_no_graph_of_the_packs_is_told(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(pack / ATTRIBUTE_GRAPH)
    model.graph.initializer[0].external_data.add(key="location", value="../elsewhere")
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    _replace(pack, model)
    assert main(["verify", str(pack)]) == 1
    assert "attributes.onnx: " in (err := capsys.readouterr().err)
    assert "expected weights inside the file" in err


def test_a_graph_of_other_images_is_told(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = onnx.load(pack / ATTRIBUTE_GRAPH)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 64
    _replace(pack, model)
    assert main(["verify", str(pack)]) == 1
    assert "attributes.onnx: expected image [32, 32, 3] of bytes" in capsys.readouterr().err


def _replace(pack: Path, model: onnx.ModelProto) -> None:
    """Put another graph into a pack, and seal it."""
    before = file_digest(pack / ATTRIBUTE_GRAPH)
    (pack / ATTRIBUTE_GRAPH).write_bytes(model.SerializeToString())
    manifest = pack / "pack.toml"
    manifest.write_text(manifest.read_text().replace(before, file_digest(pack / ATTRIBUTE_GRAPH)))
