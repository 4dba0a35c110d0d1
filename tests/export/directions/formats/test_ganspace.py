"""GANSpace's own files: components of a decomposition, and edits that its viewer exports."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import Refused, UnsafeFile, UnsupportedFile
from relatent_export.directions.formats.published import GanspaceEdit
from tests.export.directions.formats.direction_files import (
    WIDTH,
    Z_WIDTH,
    describe_directions,
    one,
    own_components,
    own_edit,
    read,
    step,
)


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_ganspaces_own_components_of_w_are_those_of_the_e4e_family(tmp_path: Path, write: Any) -> None:
    data = own_components()
    path = tmp_path / "stylegan2-ffhq_style_ipca_c80_n1000000_w.npz"
    write(path, **data)
    found = read(path, edits={"beard": GanspaceEdit(3, 7, 8)})
    names = {"mean": "lat_mean", "comp": "lat_comp", "std": "lat_stdev"}
    torch.save({ours: torch.from_numpy(data[theirs]) for ours, theirs in names.items()}, tmp_path / "e4e.pt")
    (theirs,) = read(tmp_path / "e4e.pt", edits={"beard": GanspaceEdit(3, 7, 8)})
    (ours,) = found
    np.testing.assert_array_equal(ours.vector, theirs.vector)
    assert (ours.lengths, ours.bias, ours.space) == (theirs.lengths, theirs.bias, Space.W)
    expected = {"directions": "GANSpace, 5 components", "space": "W, 16 numbers"}
    assert describe_directions(path) == expected


def test_ganspaces_own_components_of_z_move_samples(tmp_path: Path) -> None:
    path, data = tmp_path / "pca.npz", own_components(Z_WIDTH, of_z=True)
    np.savez_compressed(path, **data)
    found = read(path)
    assert [each.name for each in found] == [f"pca_{index:02d}" for index in range(5)]
    assert {(each.space, each.lengths, each.last_layer) for each in found} == {(Space.Z, (1.0,), 0)}
    np.testing.assert_allclose(found[4].vector, data["lat_comp"][4], atol=1e-6)
    assert describe_directions(path)["space"] == "Z, 12 numbers"
    with pytest.raises(Refused, match="components are of Z, which has no layers to choose with --component"):
        read(path, edits={"beard": GanspaceEdit(3, 7, 8)})
    np.savez_compressed(path, **own_components(WIDTH, of_z=True))
    with pytest.raises(
        UnsupportedFile, match="components of 12 numbers, as this generator's mapping network takes"
    ):
        read(path)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_an_edit_that_ganspaces_viewer_exported_moves_its_layers_by_its_deviation(
    tmp_path: Path, protocol: int
) -> None:
    path, data = tmp_path / "StyleGAN2-open_eyes-ffhq.pkl", own_edit()
    path.write_bytes(pickle.dumps(data, protocol))
    found = one(path)
    assert (found.name, found.space, found.bias) == ("open_eyes", Space.W, 0.0)
    assert (found.first_layer, found.last_layer, found.max_strength) == (8, 9, 14.0)
    moved = step(found)
    np.testing.assert_allclose(moved[8:10], np.tile(1.25 * data["lat_comp"], (2, 1)), atol=1e-6)
    assert not np.delete(moved, [8, 9], axis=0).any()
    assert found.source == "GANSpace, StyleGAN2-open_eyes-ffhq.pkl, component 2"
    assert describe_directions(path) == {
        "direction": "GANSpace, component 2, layers 8 to 9",
        "space": "W, 16 numbers",
    }
    path.write_bytes(pickle.dumps(own_edit(name=""), protocol))
    assert one(path).name == "stylegan2_open_eyes_ffhq"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"edit_type": "activation"}, "an edit of a layer's activations, and packs edit codes alone"),
        ({"edit_type": "both"}, "an edit of a layer's activations, and packs edit codes alone"),
        ({"edit_end": 15}, "expected first <= last <= 13, got 8 and 14"),
        ({"edit_start": 8.5}, "edit_start: expected a whole number, got 8.5"),
        ({"lat_stdev": 0.0}, "lat_stdev: expected a number above 0, got 0.0"),
        (
            {"lat_comp": np.ones((1, 20), np.float32)},
            "expected 16 numbers, as this generator's W has, got 20",
        ),
        ({"lat_comp": np.ones((2, WIDTH), np.float32)}, "lat_comp: expected one component"),
        ({"latent_space": "S"}, "latent_space: expected W or Z, got 'S'"),
        (
            {"latent_space": "Z", "lat_comp": np.ones((1, Z_WIDTH), np.float32)},
            "moves layers 8 to 9 of what is mapped from Z, and a direction of Z moves all",
        ),
    ],
)
def test_an_exported_edit_that_is_none_of_this_generator_is_refused_with_the_reason(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    path = tmp_path / "edit.pkl"
    path.write_bytes(pickle.dumps(own_edit(**changes)))
    with pytest.raises(Refused, match=re.escape(says)) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_an_exported_edit_runs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "edit.pkl"
    path.write_bytes(pickle.dumps(own_edit(name=Touching(tmp_path / "canary"))))
    with pytest.raises(UnsafeFile, match="to be run"):
        read(path)
    assert not (tmp_path / "canary").exists()


class Touching:
    """Creates a file when it is unpickled as Python does."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)
