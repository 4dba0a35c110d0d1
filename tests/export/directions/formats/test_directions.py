"""Published directions mean on a pack what they mean in the code that they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relatent.core.pack import read_pack
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnsupportedFile
from relatent_export.directions.formats.published import GanspaceEdit
from relatent_export.directions.formats.registry import parse_directions
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import PackFacts, write_pack
from tests.export.directions.formats.direction_files import (
    LAYERS,
    RANDOM,
    WIDTH,
    Z_WIDTH,
    Save,
    components,
    describe_directions,
    one,
    read,
    read_directions,
    step,
    unit,
)


def test_interfacegans_normals_of_w_move_every_layer_by_one(save: Save) -> None:
    normal = unit(1, WIDTH)
    found = one(save("stylegan_ffhq_age_c_gender_w_boundary.npy", normal))
    assert found.name == "stylegan_ffhq_age_c_gender_w_boundary"
    assert found.space is Space.W
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
    assert found.space is Space.Z
    np.testing.assert_allclose(found.vector, normal, atol=1e-7)
    assert (found.lengths, found.first_layer, found.last_layer) == ((1.0,), 0, 0)
    with pytest.raises(UnsupportedFile, match=r"age_boundary.npy: expected 12 numbers, as this .*, got 16"):
        read(save("stylegan_ffhq_age_boundary.npy", unit(1, WIDTH)))


def test_the_space_of_a_single_vector_is_its_names_to_say_and_else_its_callers(save: Save) -> None:
    normal = unit(1, WIDTH)

    def space(name: str, told: Space | None = None) -> Space:
        return read_directions(save(name, normal), LAYERS, WIDTH, WIDTH, space=told)[0].space

    assert space("Age_W_boundary.npy") is Space.W
    assert space("age_boundary.npy") is Space.Z
    assert space("age_boundary.npy", Space.W) is Space.Z
    assert space("age_w_boundary.npy", Space.Z) is Space.W
    assert space("stylegan2_ffhq_w/boundary_Young.npy") is Space.W
    assert space("stylegan2_ffhq_z/boundary_Young.npy") is Space.Z
    assert space("age.npy", Space.Z) is Space.Z
    for name in ("age.npy", "elsewhere/boundary_Young.npy"):
        with pytest.raises(Refused, match="a single vector does not tell its space: say whether"):
            space(name)
    (pose,) = read(save("pose.pt", torch.randn(1, LAYERS, WIDTH)), space=Space.Z)
    assert pose.space is Space.W_PLUS, "which its shape tells"


def test_idinverts_boundaries_move_the_layers_they_name_and_no_other(save: Save) -> None:
    rows = unit(1, LAYERS, WIDTH).astype(np.float32)
    data = {"boundary": rows, "meta_data": {"manipulate_layers": [2, 3, 7]}}
    found = one(save("expression.npy", np.array(data, dtype=object)))
    assert (found.space, found.first_layer, found.last_layer) == (Space.W_PLUS, 2, 7)
    moved = step(found)
    np.testing.assert_allclose(moved[[2, 3, 7]], rows[0, [2, 3, 7]], atol=1e-7)
    assert not np.delete(moved, [2, 3, 7], axis=0).any()
    assert {found.lengths[row] for row in (2, 3, 7)} == {1.0}
    assert (found.min_strength, found.max_strength) == (-3.0, 3.0)


@pytest.mark.parametrize("about", [{"manipulate_layers": []}, {}, None])
def test_idinverts_boundaries_that_name_no_layers_move_all_of_them(save: Save, about: Any) -> None:
    rows = unit(1, LAYERS, WIDTH).astype(np.float32)
    found = one(save("pose.npy", np.array({"boundary": rows, "meta_data": about}, dtype=object)))
    np.testing.assert_allclose(step(found), rows[0], atol=1e-7)


@pytest.mark.parametrize("chosen", ["2-7", [2.5], [True], {"a": 1}])
def test_idinverts_layers_that_are_no_numbers_are_refused(save: Save, chosen: Any) -> None:
    data = {"boundary": unit(1, LAYERS, WIDTH), "meta_data": {"manipulate_layers": chosen}}
    with pytest.raises(DamagedFile, match="manipulate_layers: expected a list of whole numbers"):
        read(save("pose.npy", np.array(data, dtype=object)))


def test_idinverts_layers_beyond_the_generators_are_refused(save: Save) -> None:
    data = {"boundary": unit(1, LAYERS, WIDTH), "meta_data": {"manipulate_layers": [3, 14]}}
    with pytest.raises(UnsupportedFile, match=r"manipulate_layers: expected 0 to 13, got \[3, 14\]"):
        read(save("pose.npy", np.array(data, dtype=object)))


@pytest.mark.parametrize("shape", [(1, WIDTH), (1, LAYERS, WIDTH), (LAYERS, WIDTH)])
def test_a_strength_adds_as_much_of_the_e4e_familys_numbers(save: Save, shape: tuple[int, ...]) -> None:
    tensor = torch.from_numpy(RANDOM.normal(size=shape).astype(np.float32))
    found = one(save("Pose.pt", tensor), licence="MIT")
    expected = np.broadcast_to(tensor.numpy(), (1, LAYERS, WIDTH))[0]
    np.testing.assert_allclose(step(found), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(found.vector, axis=1), 1, rtol=1e-6)
    assert found.space is (Space.W if shape == (1, WIDTH) else Space.W_PLUS)
    assert (found.name, found.licence, found.source) == ("pose", "MIT", "e4e family, Pose.pt")
    assert (found.min_strength, found.max_strength) == (-5.0, 5.0)


def test_stylefeatureeditors_layers_are_a_unit_vector_together(save: Save) -> None:
    flat = unit(1, LAYERS * WIDTH)
    found = one(save("Eyeglasses_boundary.npy", flat))
    assert (found.name, found.space) == ("eyeglasses_boundary", Space.W_PLUS)
    np.testing.assert_allclose(step(found).reshape(1, -1), flat, atol=1e-6)
    assert sum(length**2 for length in found.lengths) == pytest.approx(1)
    assert (found.min_strength, found.max_strength) == (-10.0, 10.0)


def test_every_component_of_ganspace_becomes_a_direction(save: Save) -> None:
    data = components()
    found = read(save("ffhq_pca.pt", data))
    assert [each.name for each in found] == [f"ffhq_pca_{index:02d}" for index in range(5)]
    for index, each in enumerate(found):
        deviation = float(data["std"][index])
        assert each.lengths == pytest.approx((deviation,) * LAYERS)
        expected = np.tile(deviation * data["comp"][index].numpy(), (LAYERS, 1))
        np.testing.assert_allclose(step(each), expected, atol=1e-6)
        assert each.space is Space.W
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
    expected = (
        r"expected 14 layers \(a generator of 256 pixels\), got 18 layers \(a generator of 1024 pixels\)"
    )
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
        ("age.pt", torch.randn(1, 20), UnsupportedFile, "expected layers of 16 numbers, .*got shape [20]"),
        ("age.pt", torch.randn(2, 3, LAYERS, WIDTH), UnsupportedFile, "expected one vector, or one a layer"),
        ("age.pt", torch.zeros(1, WIDTH), DamagedFile, "expected a direction, got zeros alone"),
        ("age.pt", torch.full((1, WIDTH), torch.inf), DamagedFile, "expected finite numbers"),
        ("age.pt", torch.zeros(0), DamagedFile, "expected finite numbers"),
        ("age.pt", torch.ones(1, WIDTH, dtype=torch.int64), DamagedFile, "expected floating-point numbers"),
        ("age.npy", np.ones((1, WIDTH), np.int64), DamagedFile, "expected floating-point numbers, got int64"),
        ("fs3.npy", np.ones((6048, 512), np.float32), UnsupportedFile, "StyleCLIP's relevance of 6048 style"),
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


def test_directions_are_called_by_their_files(save: Save) -> None:
    assert one(save("Ältere Frau (2)_w_boundary.npy", unit(1, WIDTH))).name == "ltere_frau_2_w_boundary"
    assert [each.name for each in read(save("P.pt", components(2)))] == ["p_00", "p_01"]
    for wrong in ("Beard", "the beard", "the-beard"):
        with pytest.raises(ValueError, match="name: expected lower-case letters, digits and underscores"):
            read(save("p.pt", components()), edits={wrong: GanspaceEdit(0, 0, 1)})
    with pytest.raises(Refused, match="expected a file name with letters a to z or digits"):
        read(save("年齢.pt", torch.ones(1, WIDTH)))


def test_what_is_no_file_of_directions_is_left_to_others(save: Save) -> None:
    for data in ({"a": torch.ones(1)}, [torch.ones(1)], "a direction"):
        assert parse_directions(data, Path("a.pt")) is None


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
            {"direction": "e4e family", "space": "W+, 18 layers of 512 numbers"},
        ),
        (
            "glasses.npy",
            unit(1, 18 * 512),
            {"direction": "StyleFeatureEditor", "space": "W+, 18 layers of 512 numbers"},
        ),
        (
            "pose.npy",
            np.array(
                {"boundary": unit(1, 14, 512), "meta_data": {"manipulate_layers": [0, 3]}}, dtype=object
            ),
            {"direction": "idinvert, moves layers 0, 3", "space": "W+, 14 layers of 512 numbers"},
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
    info = PackFacts("small", "Random networks.", "Apache-2.0", "Random.", {"encoder": 0.02, "mean": 0.05})
    write_pack(tmp_path / "pack", info, small, written)
    found = read_pack(tmp_path / "pack").directions
    for each in written:
        np.testing.assert_array_equal(found[each.name].vector, each.vector)
        for field in ("lengths", "space", "licence", "source"):
            assert getattr(found[each.name], field) == getattr(each, field)
