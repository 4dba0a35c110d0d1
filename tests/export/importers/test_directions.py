"""Published directions mean on a pack what they mean in the code that they come from."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from export.importers import directions
from export.importers.errors import DamagedFile, Refused, UnknownFile, UnsafeFile, UnsupportedFile
from export.importers.ganspace import GanspaceEdit
from export.importers.reading import read_checkpoint
from export.networks import Networks
from export.pack import PackInfo, write_pack
from relatent.directions import Direction, DirectionSpace
from relatent.pack import read_pack

LAYERS, WIDTH, Z_WIDTH = 14, 16, 12
RANDOM = np.random.default_rng(0)


def unit(*shape: int) -> np.ndarray[Any, Any]:
    rows = RANDOM.normal(size=shape)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def read_directions(path: Path, *shape: int, **options: Any) -> list[Direction]:
    return directions.read_directions(read_checkpoint(path), path, *shape, **options)


def describe_directions(path: Path) -> dict[str, str]:
    return directions.describe_directions(read_checkpoint(path), path)


def read(path: Path, **options: Any) -> list[Direction]:
    return read_directions(path, LAYERS, WIDTH, Z_WIDTH, **options)


def one(path: Path, **options: Any) -> Direction:
    (found,) = read(path, **options)
    return found


def step(direction: Direction) -> np.ndarray[Any, Any]:
    """Where one unit of a relative strength goes on the rows that the direction moves."""
    moved = np.zeros_like(direction.vector)
    rows = slice(direction.first_layer, direction.last_layer + 1)
    moved[rows] = np.array(direction.lengths, np.float32)[rows, None] * direction.vector[rows]
    return moved


@pytest.fixture
def save(tmp_path: Path) -> Callable[[str, Any], Path]:
    """Write a file in the format that its name ends in."""

    def write(name: str, data: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".npy":
            np.save(path, data, allow_pickle=True)
        else:
            torch.save(data, path)
        return path

    return write


Save = Callable[[str, Any], Path]


def test_interfacegans_normals_of_w_move_every_row_by_one(save: Save) -> None:
    normal = unit(1, WIDTH)
    found = one(save("stylegan_ffhq_age_c_gender_w_boundary.npy", normal))
    assert found.name == "stylegan_ffhq_age_c_gender_w_boundary"
    assert found.space is DirectionSpace.W
    assert found.vector.dtype == np.float32
    np.testing.assert_allclose(found.vector, np.tile(normal, (LAYERS, 1)), atol=1e-7)
    assert found.lengths == (1.0,) * LAYERS
    assert (found.first_layer, found.last_layer) == (0, LAYERS - 1)
    assert (found.bias, found.calibration, found.attribute, found.licence) == (0.0, 0.0, "", "")
    assert (found.min_strength, found.max_strength) == (-3.0, 3.0)
    assert found.source == "InterFaceGAN, stylegan_ffhq_age_c_gender_w_boundary.npy"


def test_interfacegans_normals_of_z_are_as_wide_as_what_the_mapping_takes(save: Save) -> None:
    normal = unit(1, Z_WIDTH)
    found = one(save("stylegan_ffhq_age_boundary.npy", normal))
    assert found.space is DirectionSpace.Z
    np.testing.assert_allclose(found.vector, normal, atol=1e-7)
    assert (found.lengths, found.first_layer, found.last_layer) == ((1.0,), 0, 0)
    with pytest.raises(UnsupportedFile, match=r"age_boundary.npy: expected 12 numbers, as this .*, got 16"):
        read(save("stylegan_ffhq_age_boundary.npy", unit(1, WIDTH)))


def test_the_space_of_a_single_row_is_its_callers_to_say_and_else_its_names(save: Save) -> None:
    normal = unit(1, WIDTH)

    def space(name: str, told: DirectionSpace | None = None) -> DirectionSpace:
        return read_directions(save(name, normal), LAYERS, WIDTH, WIDTH, space=told)[0].space

    assert space("Age_W_boundary.npy") is DirectionSpace.W
    assert space("age_boundary.npy") is DirectionSpace.Z
    assert space("age_boundary.npy", DirectionSpace.W) is DirectionSpace.W
    assert space("age_w_boundary.npy", DirectionSpace.Z) is DirectionSpace.Z
    assert space("stylegan2_ffhq_w/boundary_Young.npy") is DirectionSpace.W
    assert space("stylegan2_ffhq_z/boundary_Young.npy") is DirectionSpace.Z
    assert space("age.npy", DirectionSpace.Z) is DirectionSpace.Z
    for name in ("age.npy", "elsewhere/boundary_Young.npy"):
        with pytest.raises(Refused, match="a single row does not tell its space: say whether"):
            space(name)
    with pytest.raises(Refused, match=r"space: it is of W, not of W\+"):
        space("age.npy", DirectionSpace.W_PLUS)
    with pytest.raises(Refused, match=r"space: it is of W\+, not of Z"):
        read(save("pose.pt", torch.randn(1, LAYERS, WIDTH)), space=DirectionSpace.Z)


def test_idinverts_boundaries_move_the_rows_they_name_and_no_other(save: Save) -> None:
    rows = unit(1, LAYERS, WIDTH).astype(np.float32)
    data = {"boundary": rows, "meta_data": {"manipulate_layers": [2, 3, 7]}}
    found = one(save("expression.npy", np.array(data, dtype=object)))
    assert (found.space, found.first_layer, found.last_layer) == (DirectionSpace.W_PLUS, 2, 7)
    moved = step(found)
    np.testing.assert_allclose(moved[[2, 3, 7]], rows[0, [2, 3, 7]], atol=1e-7)
    assert not np.delete(moved, [2, 3, 7], axis=0).any()
    assert {found.lengths[row] for row in (2, 3, 7)} == {1.0}
    assert (found.min_strength, found.max_strength) == (-3.0, 3.0)


@pytest.mark.parametrize("about", [{"manipulate_layers": []}, {}, None])
def test_idinverts_boundaries_that_name_no_rows_move_all_of_them(save: Save, about: Any) -> None:
    rows = unit(1, LAYERS, WIDTH).astype(np.float32)
    found = one(save("pose.npy", np.array({"boundary": rows, "meta_data": about}, dtype=object)))
    np.testing.assert_allclose(step(found), rows[0], atol=1e-7)


@pytest.mark.parametrize("chosen", ["2-7", [2.5], [True], {"a": 1}])
def test_idinverts_rows_that_are_no_numbers_are_refused(save: Save, chosen: Any) -> None:
    data = {"boundary": unit(1, LAYERS, WIDTH), "meta_data": {"manipulate_layers": chosen}}
    with pytest.raises(DamagedFile, match="manipulate_layers: expected a list of whole numbers"):
        read(save("pose.npy", np.array(data, dtype=object)))


def test_idinverts_rows_beyond_the_generators_are_refused(save: Save) -> None:
    data = {"boundary": unit(1, LAYERS, WIDTH), "meta_data": {"manipulate_layers": [3, 14]}}
    with pytest.raises(UnsupportedFile, match=r"manipulate_layers: expected 0 to 13, got \[3, 14\]"):
        read(save("pose.npy", np.array(data, dtype=object)))


@pytest.mark.parametrize("shape", [(1, WIDTH), (1, LAYERS, WIDTH), (LAYERS, WIDTH)])
def test_a_strength_adds_as_much_of_the_e4e_familys_numbers(save: Save, shape: tuple[int, ...]) -> None:
    tensor = torch.from_numpy(RANDOM.normal(size=shape).astype(np.float32))
    found = one(save("Pose.pt", tensor), licence="MIT", source="encoder4editing")
    expected = np.broadcast_to(tensor.numpy(), (1, LAYERS, WIDTH))[0]
    np.testing.assert_allclose(step(found), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.vector, axis=1), 1, rtol=1e-6)
    assert found.space is (DirectionSpace.W if shape == (1, WIDTH) else DirectionSpace.W_PLUS)
    assert (found.name, found.licence, found.source) == ("pose", "MIT", "encoder4editing")
    assert (found.min_strength, found.max_strength) == (-5.0, 5.0)


def test_stylefeatureeditors_rows_are_a_unit_vector_together(save: Save) -> None:
    flat = unit(1, LAYERS * WIDTH)
    found = one(save("Eyeglasses_boundary.npy", flat))
    assert (found.name, found.space) == ("eyeglasses_boundary", DirectionSpace.W_PLUS)
    np.testing.assert_allclose(step(found).reshape(1, -1), flat, atol=1e-6)
    assert sum(length**2 for length in found.lengths) == pytest.approx(1)
    assert (found.min_strength, found.max_strength) == (-10.0, 10.0)


def components(count: int = 5) -> dict[str, torch.Tensor]:
    basis = np.linalg.qr(RANDOM.normal(size=(WIDTH, count)))[0].T
    return {
        "mean": torch.from_numpy(RANDOM.normal(size=(1, WIDTH)).astype(np.float32)),
        "comp": torch.from_numpy(basis[:, None].astype(np.float32)),
        "std": torch.from_numpy(RANDOM.uniform(0.5, 3, size=count).astype(np.float32)),
    }


def test_every_component_of_ganspace_becomes_a_direction(save: Save) -> None:
    data = components()
    found = read(save("ffhq_pca.pt", data))
    assert [each.name for each in found] == [f"ffhq_pca_{index:02d}" for index in range(5)]
    for index, each in enumerate(found):
        deviation = float(data["std"][index])
        assert each.lengths == pytest.approx((deviation,) * LAYERS)
        expected = np.tile(deviation * data["comp"][index].numpy(), (LAYERS, 1))
        np.testing.assert_allclose(step(each), expected, atol=1e-6)
        assert each.space is DirectionSpace.W
        assert each.source == f"GANSpace, ffhq_pca.pt, component {index}"
        assert (each.min_strength, each.max_strength) == (-10.0, 10.0)
    assert read(save("ffhq_pca.pt", components(1)))[0].name == "ffhq_pca_00"


def test_an_absolute_strength_is_the_e4e_familys_edit_along_a_component(save: Save) -> None:
    data = components()
    # Published as (3, 7, 9, -20.0), its last layer left out.
    edits = {"beard": GanspaceEdit(3, 7, 8, -20.0), "eyes": GanspaceEdit(0, 7, 7)}
    beard, eyes = read(save("ffhq_pca.pt", data), edits=edits)
    assert (beard.name, beard.first_layer, beard.last_layer, beard.max_strength) == ("beard", 7, 8, 20.0)
    assert (eyes.name, eyes.first_layer, eyes.last_layer, eyes.min_strength) == ("eyes", 7, 7, -10.0)
    code = torch.randn(WIDTH, generator=torch.Generator().manual_seed(1))
    mean, component, deviation = data["mean"][0], data["comp"][3, 0], data["std"][3]
    coordinate = (code - mean) @ component / deviation
    theirs = (-20.0 - coordinate) * component * deviation
    w, normal = code.double().numpy(), beard.vector[7].astype(np.float64)
    ours = (-20.0 * beard.lengths[7] - (w @ normal + beard.bias)) * normal
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (GanspaceEdit(5, 0, 1), "expected a component from 0 to 4, got 5"),
        (GanspaceEdit(0, 9, 8), "expected first <= last <= 13, got 9 and 8"),
        (GanspaceEdit(0, 9, 14), "expected first <= last <= 13, got 9 and 14"),
        (GanspaceEdit(0, 0, 1, 0.0), "expected a strength other than 0"),
    ],
)
def test_an_edit_along_no_component_is_refused_by_its_name(save: Save, edit: GanspaceEdit, says: str) -> None:
    with pytest.raises(Refused, match=f"edit 'beard': {says}"):
        read(save("ffhq_pca.pt", components()), edits={"beard": edit})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"comp": torch.ones(5, 1, WIDTH)}, "comp: expected components of unit norm"),
        ({"std": torch.ones(4)}, "std: expected 5 numbers above 0"),
        ({"std": torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])}, "std: expected 5 numbers above 0"),
        ({"mean": torch.full((1, WIDTH), torch.nan)}, "mean: expected finite numbers"),
        ({"mean": torch.ones(1, WIDTH - 1)}, "mean: expected 16 numbers, as its components have, got 15"),
        ({"mean": "none"}, "mean: expected floating-point numbers, got str"),
    ],
)
def test_components_that_are_none_are_refused_by_their_name(
    save: Save, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(Refused, match=f"ffhq_pca.pt: .*{says}|ffhq_pca.pt: {says}"):
        read(save("ffhq_pca.pt", components() | changes))


def test_a_direction_of_a_larger_generator_is_refused_with_both_sizes(save: Save) -> None:
    expected = r"expected 14 rows \(a generator of 256 pixels\), got 18 rows \(a generator of 1024 pixels\)"
    for path in (
        save("pose.pt", torch.randn(1, 18, WIDTH)),
        save("Eyeglasses_boundary.npy", unit(1, 18 * WIDTH)),
        save("age.npy", np.array({"boundary": unit(1, 18, WIDTH), "meta_data": {}}, dtype=object)),
    ):
        with pytest.raises(UnsupportedFile, match=expected) as caught:
            read(path)
        assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("name", "data", "error", "says"),
    [
        ("age.pt", torch.randn(1, 20), UnsupportedFile, "expected rows of 16 numbers, .*got shape [20]"),
        ("age.pt", torch.randn(2, 3, LAYERS, WIDTH), UnsupportedFile, "expected one row, or one a layer"),
        ("age.pt", torch.zeros(1, WIDTH), DamagedFile, "expected a direction, got zeros alone"),
        ("age.pt", torch.full((1, WIDTH), torch.inf), DamagedFile, "expected finite numbers"),
        ("age.pt", torch.zeros(0), DamagedFile, "expected finite numbers"),
        ("age.pt", torch.ones(1, WIDTH, dtype=torch.int64), DamagedFile, "expected floating-point numbers"),
        ("age.npy", np.ones((1, WIDTH), np.int64), DamagedFile, "expected floating-point numbers, got int64"),
        ("fs3.npy", np.ones((6048, 512), np.float32), UnsupportedFile, "StyleCLIP's relevance of 6048 style"),
        ("age.pt", {"a": torch.ones(1)}, UnknownFile, "expected a direction, got a dict"),
    ],
)
def test_what_is_no_direction_of_this_generator_is_refused_with_the_reason(
    save: Save, name: str, data: Any, error: type[Refused], says: str
) -> None:
    path = save(name, data)
    with pytest.raises(error, match=says.replace("[", r"\[").replace("]", r"\]")) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_directions_are_called_as_told_and_else_by_their_files(save: Save) -> None:
    normal = unit(1, WIDTH)
    path = save("Ältere Frau (2)_w_boundary.npy", normal)
    assert one(path).name == "ltere_frau_2_w_boundary"
    assert one(path, name="older").name == "older"
    assert [each.name for each in read(save("p.pt", components(2)), name="pca")] == ["pca_00", "pca_01"]
    for wrong in ("Older", "old er", "old-er"):
        with pytest.raises(ValueError, match="name: expected lower-case letters, digits and underscores"):
            read(path, name=wrong)
    with pytest.raises(ValueError, match="name: expected lower-case letters"):
        read(save("p.pt", components()), edits={"Beard": GanspaceEdit(0, 0, 1)})
    with pytest.raises(Refused, match="expected a file name with letters a to z or digits"):
        read(save("年齢.pt", torch.ones(1, WIDTH)))


def test_edits_are_of_ganspaces_components_alone(save: Save) -> None:
    with pytest.raises(
        Refused, match=r"age.pt: edits are of GANSpace's components, and this file holds none"
    ):
        read(save("age.pt", torch.ones(1, WIDTH)), edits={"beard": GanspaceEdit(0, 0, 1)})


@pytest.mark.parametrize(
    ("name", "data", "lines"),
    [
        ("age_w_boundary.npy", unit(1, 512), {"direction": "InterFaceGAN", "space": "W, 512 numbers"}),
        ("age_boundary.npy", unit(1, 512), {"direction": "InterFaceGAN", "space": "Z, 512 numbers"}),
        (
            "age.npy",
            unit(1, 512),
            {"direction": "InterFaceGAN", "space": "W or Z, which its name does not tell, 512 numbers"},
        ),
        (
            "age.pt",
            torch.from_numpy(unit(1, 512)),
            {"direction": "e4e family", "space": "W, 512 numbers"},
        ),
        (
            "pose.pt",
            torch.from_numpy(unit(1, 18, 512)),
            {"direction": "e4e family", "space": "W+, 18 rows of 512 numbers"},
        ),
        (
            "glasses.npy",
            unit(1, 18 * 512),
            {"direction": "StyleFeatureEditor", "space": "W+, 18 rows of 512 numbers"},
        ),
        (
            "pose.npy",
            np.array(
                {"boundary": unit(1, 14, 512), "meta_data": {"manipulate_layers": [0, 3]}}, dtype=object
            ),
            {"direction": "idinvert, moves layers 0, 3", "space": "W+, 14 rows of 512 numbers"},
        ),
        ("pca.pt", components(), {"directions": "GANSpace, 5 components", "space": "W, 16 numbers"}),
    ],
)
def test_a_file_is_described_without_a_generator(
    save: Save, name: str, data: Any, lines: dict[str, str]
) -> None:
    assert describe_directions(save(name, data)) == lines


def test_imported_directions_are_written_to_a_pack_and_read_again(
    save: Save, small: Networks, tmp_path: Path
) -> None:
    config = small.generator.config
    shape = (config.layers, config.latent_width, config.z_width)
    written = [
        *read_directions(save("pose.pt", torch.randn(1, *shape[:2])), *shape, licence="MIT"),
        *read_directions(save("age_boundary.npy", unit(1, shape[2])), *shape),
    ]
    info = PackInfo("small", "Random networks.", "Apache-2.0", "Random.", {"encoder": 0.02, "mean": 0.05})
    write_pack(tmp_path / "pack", info, small, written)
    found = read_pack(tmp_path / "pack").directions
    for each in written:
        np.testing.assert_array_equal(found[each.name].vector, each.vector)
        for field in ("lengths", "space", "licence", "source"):
            assert getattr(found[each.name], field) == getattr(each, field)


# What GANSpace's own code writes: `np.savez_compressed` in decomposition.py, `pickle.dump` in interactive.py.


def own_components(width: int = WIDTH, *, of_z: bool = False, count: int = 5) -> dict[str, Any]:
    random = np.random.default_rng(3)
    basis = np.linalg.qr(random.normal(size=(width, count)))[0].T
    return {
        "act_comp": random.normal(size=(count, 1, width)).astype(np.float32),
        "act_mean": random.normal(size=(1, width)).astype(np.float32),
        "act_stdev": np.ones(count, np.float32),
        "lat_comp": basis[:, None].astype(np.float32),
        "lat_mean": random.normal(size=(1, width)).astype(np.float32),
        "lat_stdev": np.ones(count, np.float32) if of_z else random.uniform(0.5, 3, count).astype(np.float32),
        "var_ratio": np.ones(count, np.float32),
        "random_stdevs": np.ones(count, np.float32),
    }


def own_edit(**changes: Any) -> dict[str, Any]:
    component = own_components()["lat_comp"][2]
    return {
        "name": "Open Eyes",
        "sigma_range": np.float64(-14.0),
        "component_index": 2,
        "act_comp": component,
        "lat_comp": component,
        "latent_space": "W",
        "act_stdev": 1.5,
        "lat_stdev": 1.25,
        "model_name": "StyleGAN2",
        "output_class": "ffhq",
        "decomposition": {"name": "ipca", "components": 80, "samples": 1_000_000, "layer": "style"},
        "edit_type": "latent",
        "truncation": 0.7,
        "edit_start": 8,
        "edit_end": 10,
        "example_seed": 5,
        **changes,
    }


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_ganspaces_own_components_of_w_are_those_of_the_e4e_family(tmp_path: Path, write: Any) -> None:
    data = own_components()
    path = tmp_path / "stylegan2-ffhq_style_ipca_c80_n1000000_w.npz"
    write(path, **data)
    found = read(path, name="pca", edits={"beard": GanspaceEdit(3, 7, 8)})
    names = {"mean": "lat_mean", "comp": "lat_comp", "std": "lat_stdev"}
    torch.save({ours: torch.from_numpy(data[theirs]) for ours, theirs in names.items()}, tmp_path / "e4e.pt")
    (theirs,) = read(tmp_path / "e4e.pt", name="pca", edits={"beard": GanspaceEdit(3, 7, 8)})
    (ours,) = found
    np.testing.assert_array_equal(ours.vector, theirs.vector)
    assert (ours.lengths, ours.bias, ours.space) == (theirs.lengths, theirs.bias, DirectionSpace.W)
    expected = {"directions": "GANSpace, 5 components", "space": "W, 16 numbers"}
    assert describe_directions(path) == expected


def test_ganspaces_own_components_of_z_move_samples(tmp_path: Path) -> None:
    path, data = tmp_path / "pca.npz", own_components(Z_WIDTH, of_z=True)
    np.savez_compressed(path, **data)
    found = read(path)
    assert [each.name for each in found] == [f"pca_{index:02d}" for index in range(5)]
    assert {(each.space, each.lengths, each.last_layer) for each in found} == {(DirectionSpace.Z, (1.0,), 0)}
    np.testing.assert_allclose(found[4].vector, data["lat_comp"][4], atol=1e-6)
    assert describe_directions(path)["space"] == "Z, 12 numbers"
    with pytest.raises(Refused, match="components are of Z, which has no rows to choose with --component"):
        read(path, edits={"beard": GanspaceEdit(3, 7, 8)})
    np.savez_compressed(path, **own_components(WIDTH, of_z=True))
    with pytest.raises(
        UnsupportedFile, match="components of 12 numbers, as this generator's mapping network takes"
    ):
        read(path)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_an_edit_that_ganspaces_viewer_exported_moves_its_rows_by_its_deviation(
    tmp_path: Path, protocol: int
) -> None:
    path, data = tmp_path / "StyleGAN2-open_eyes-ffhq.pkl", own_edit()
    path.write_bytes(pickle.dumps(data, protocol))
    found = one(path)
    assert (found.name, found.space, found.bias) == ("open_eyes", DirectionSpace.W, 0.0)
    assert (found.first_layer, found.last_layer, found.max_strength) == (8, 9, 14.0)
    moved = step(found)
    np.testing.assert_allclose(moved[8:10], np.tile(1.25 * data["lat_comp"], (2, 1)), atol=1e-6)
    assert not np.delete(moved, [8, 9], axis=0).any()
    assert found.source == "GANSpace, StyleGAN2-open_eyes-ffhq.pkl, component 2"
    assert describe_directions(path) == {
        "direction": "GANSpace, component 2, rows 8 to 9",
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
            "moves rows 8 to 9 of what is mapped from Z, and a direction of Z moves all",
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


IN_NO_GENERATOR: dict[str, tuple[str, Any, str]] = {
    "zeros of W": ("age_w_boundary.npy", np.zeros((1, 512)), "expected a direction, got zeros alone"),
    "zeros of W+": ("age.pt", torch.zeros(1, 14, 512), "expected a direction, got zeros alone"),
    "zeros where it moves": (
        "age.npy",
        np.array(
            {
                "boundary": np.eye(14, 512, 1) * (np.arange(14) > 2)[:, None],
                "meta_data": {"manipulate_layers": [0, 2]},
            },
            dtype=object,
        ),
        "expected a direction, got zeros alone",
    ),
    "a row that is not there": (
        "age.npy",
        np.array({"boundary": unit(14, 512), "meta_data": {"manipulate_layers": [14]}}, dtype=object),
        "manipulate_layers: expected 0 to 13, got [14]",
    ),
    "codes with a boundary": (
        "age.npy",
        np.array({"boundary": unit(3, 14, 512)}, dtype=object),
        "3 codes of 14 rows and no direction",
    ),
    "too long": ("age.npy", np.full((14, 512), 1e300), "expected lengths that a float32 can hold"),
    "no axis": ("age.pt", torch.tensor(1.0), "expected one row, or one a layer"),
    "four axes": ("age.pt", torch.randn(2, 2, 14, 512), "expected one row, or one a layer"),
    "another mean": (
        "p.pt",
        components() | {"mean": torch.ones(1, 15)},
        "mean: expected 16 numbers, as its components have",
    ),
    "long deviations": ("p.pt", components() | {"std": np.full(5, 1e39)}, "std: expected 5"),
    "no component": ("e.pt", own_edit(lat_comp=np.zeros((1, WIDTH))), "lat_comp: expected a direction, got"),
    "no rows": (
        "e.pt",
        own_edit(edit_start=5, edit_end=3),
        "expected a component from 0 and rows edit_start",
    ),
    "rows before the first": ("e.pt", own_edit(edit_start=-1), "expected a component from 0 and rows edit_s"),
    "no letter": ("年.pt", torch.from_numpy(unit(1, 512)), "expected a file name with letters a to z"),
}


@pytest.mark.parametrize("what", IN_NO_GENERATOR)
def test_a_direction_that_fits_no_generator_is_refused_by_both(save: Save, what: str) -> None:
    name, data, told = IN_NO_GENERATOR[what]
    path = save(name, data)
    width = WIDTH if isinstance(data, dict) else 512
    for reader in (describe_directions, lambda path: read_directions(path, LAYERS, width, width)):
        with pytest.raises(Refused, match=re.escape(told)) as caught:
            reader(path)
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


CODE = 14 * unit(1, 512)
DOUBTFUL: dict[str, tuple[str, Any, str]] = {
    "a face's code": ("face.pt", torch.from_numpy(np.tile(CODE, (1, 18, 1))).float(), "perhaps a code"),
    "a code of W": ("face_w_boundary.npy", CODE, "perhaps a code"),
    "a code of Z": ("seed_boundary.npy", RANDOM.normal(size=(1, 512)), "perhaps a code"),
    "a few codes": ("bank.npy", np.tile(CODE, (10, 1)), "perhaps a code"),
    "a bank of directions": ("bank.npy", unit(20, 512), "no published generator's codes have 20 rows"),
    "a PGGAN's boundary": ("pggan_celebahq_age_boundary.npy", unit(1, 512), "of a PGGAN by its name"),
}


@pytest.mark.parametrize("what", DOUBTFUL)
def test_what_is_hardly_a_direction_is_inspected_with_a_doubt(save: Save, what: str) -> None:
    name, data, told = DOUBTFUL[what]
    assert told in describe_directions(save(name, data))["doubt"]


def test_published_directions_raise_no_doubt(save: Save) -> None:
    for name, data in (
        ("stylegan_ffhq_age_w_boundary.npy", unit(1, 512)),
        ("age.pt", torch.from_numpy(3 * unit(1, 512))),
        ("pose.pt", torch.from_numpy(unit(1, 18, 512))),
        ("glasses.npy", unit(1, 18 * 512)),
    ):
        assert "doubt" not in describe_directions(save(name, data))


def test_several_codes_in_one_file_are_no_direction_to_anybody(save: Save) -> None:
    path = save("codes.pt", torch.randn(20, LAYERS, WIDTH))
    for reader in (read, describe_directions):
        with pytest.raises(UnsupportedFile, match="20 codes of 14 rows and no direction, which has one row"):
            reader(path)
    with pytest.raises(UnsupportedFile, match=r"got 20 rows \(perhaps as many codes in one file\)"):
        read(save("codes.npy", RANDOM.normal(size=(20, WIDTH))))
