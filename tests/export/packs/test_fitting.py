"""`relatent-export directions fit`: what is found, measured, and put into a pack."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from relatent.core.attributes import Attribute
from relatent.core.noise import noise
from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import Space
from relatent_export import cli
from relatent_export.directions.controls import Floats, Measured, Read, reader_of
from relatent_export.directions.labels import read_by_network
from relatent_export.nets.networks import Networks
from relatent_export.packs import fitting
from relatent_export.packs.controls import write_controls
from relatent_export.packs.pack import PackFacts, write_pack

FACTS = PackFacts("small", "Random.", "CC0-1.0", "A test.", {"encoder": 0.01, "mean": 0.02})


@pytest.fixture(scope="module")
def written(small: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack whose controls were measured, one without, and one without an attribute network."""
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder / "small", FACTS, small, [])
    write_pack(folder / "unmeasured", FACTS, small, [])
    write_pack(folder / "bare", FACTS, Networks(small.generator), [])
    assert cli.main(["controls", str(folder / "small")]) == 0
    assert cli.main(["directions", "fit", str(folder / "small"), "--method", "jacobian"]) == 0
    return folder


@pytest.fixture
def packs(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "packs")
    return tmp_path / "packs"


def fit(pack: Path, *words: str) -> Pack:
    assert cli.main(["directions", "fit", str(pack), *words]) == 0
    return read_pack(pack)


def refused(capsys: pytest.CaptureFixture[str], pack: Path, *words: str) -> str:
    before = {path.name: path.read_bytes() for path in pack.iterdir()}
    assert cli.main(["directions", "fit", str(pack), *words]) == 1
    assert {path.name: path.read_bytes() for path in pack.iterdir()} == before
    return capsys.readouterr().err


def test_the_jacobian_gives_each_attribute_a_direction_that_is_measured(written: Path) -> None:
    pack = read_pack(written / "small")
    assert [*pack.directions] == ["one", "two", "three"]
    for name, direction in pack.directions.items():
        assert (direction.attribute, direction.method) == (name, "jacobian")
        assert (direction.seed, direction.samples) == (None, None)
        assert direction.licence == pack.licence
        assert direction.calibration > 0
        assert direction.leak is not None


@pytest.mark.parametrize("method", ["jacobian", "closed_form"])
def test_a_pack_without_controls_stays_so_and_wants_no_further_graphs(packs: Path, method: str) -> None:
    before = read_pack(packs / "unmeasured")
    pack = fit(packs / "unmeasured", "--method", method, "--count", "2")
    assert pack.controls is None
    assert (pack.attributes, pack.served) == (before.attributes, before.served)
    assert {each.leak is None for each in pack.directions.values()} == {False}
    if method == "jacobian":
        for name, direction in read_pack(packs / "small").directions.items():
            np.testing.assert_array_equal(pack.directions[name].vector, direction.vector)


@pytest.mark.parametrize("method", ["jacobian", "boundary", "closed_form"])
def test_directions_point_to_more_of_an_attribute_and_are_told_in_its_unit(
    packs: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    pack = read_pack(packs / "small")
    assert pack.controls is not None
    scaled = tuple(
        replace(each, scale=-40.0, low=40 * each.low, high=40 * each.high) for each in pack.attributes
    )
    write_controls(packs / "small", Measured(scaled, pack.controls))
    drawn = ["--samples", "400"] if method == "boundary" else []
    found = fit(packs / "small", "--method", method, "--count", "2", *drawn).directions
    told = capsys.readouterr().out.splitlines()
    mine = [each for each in found.values() if each.method == method]
    for direction, line in zip(mine, told, strict=False):
        assert direction.calibration < 0
        value = f"{direction.calibration * -40:+.3g}"
        assert line.startswith(f"{direction.name}: {direction.attribute}, {value} a unit of strength")
    assert told[len(mine) :] == [f"{packs / 'small'}: a service that has it must be started again"]


def test_boundaries_record_what_they_are_and_come_beside_what_is_there(packs: Path) -> None:
    before = read_pack(packs / "small").directions
    pack = fit(packs / "small", "--method", "boundary", "--samples", "400", "--seed", "7")
    assert [*pack.directions] == [*before, *(f"{name}_boundary" for name in before)]
    for name in before:
        np.testing.assert_array_equal(pack.directions[name].vector, before[name].vector)
        direction = pack.directions[f"{name}_boundary"]
        assert (direction.space, direction.attribute) == (Space.W, name)
        assert (direction.method, direction.seed, direction.samples) == ("boundary", 7, 400)
        assert "Shen et al. 2020" in direction.source
        assert direction.calibration > 0


@pytest.mark.parametrize("method", ["boundary", "pca", "closed_form"])
def test_the_same_pack_and_seed_give_the_same_bytes_and_replace_what_they_gave(
    packs: Path, method: str
) -> None:
    drawn = [] if method == "closed_form" else ["--samples", "200"]
    words = ["--method", method, *drawn, "--count", "2"]
    first = fit(packs / "small", *words)
    files = {path.name: path.read_bytes() for path in (packs / "small").iterdir()}
    assert [*fit(packs / "small", *words).directions] == [*first.directions]
    assert {path.name: path.read_bytes() for path in (packs / "small").iterdir()} == files
    assert cli.main(["verify", str(packs / "small")]) == 0


def test_what_is_found_without_attributes_is_named_by_what_it_moves_most_and_drawn(packs: Path) -> None:
    previews = packs / "previews"
    words = ["--method", "pca", "--samples", "200", "--count", "2", "--layers", "0-3"]
    found = fit(packs / "small", *words, "--previews", str(previews)).directions
    for name in ("pca_0", "pca_1"):
        assert found[name].attribute in ("one", "two", "three")
        assert found[name].calibration > 0
        assert (found[name].first_layer, found[name].last_layer) == (0, 3)
        with Image.open(previews / f"{name}.png") as sheet:
            assert sheet.size == (5 * 32, 3 * 32)


@pytest.mark.parametrize(("method", "reach"), [("pca", 10.0), ("closed_form", 3.0)])
def test_a_pack_without_attributes_has_what_needs_none_with_the_strengths_that_were_published(
    packs: Path, method: str, reach: float
) -> None:
    drawn = [] if method == "closed_form" else ["--samples", "200"]
    pack = fit(packs / "bare", "--method", method, *drawn, "--count", "2")
    assert [*pack.directions] == [f"{method}_0", f"{method}_1"]
    for each in pack.directions.values():
        assert (each.attribute, each.calibration, each.leak) == ("", 0.0, None)
        assert (each.min_strength, each.max_strength) == (-reach, reach)


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (
            "boundary",
            "expected --labels, or a pack that has an attribute network; without either there are pca",
        ),
        (
            "jacobian",
            "without one there are pca, closed_form, orthogonal_jacobian, walk, nonlinear_walk, discover",
        ),
    ],
)
def test_what_needs_attributes_says_so_and_what_does_not(
    packs: Path, capsys: pytest.CaptureFixture[str], method: str, why: str
) -> None:
    assert why in refused(capsys, packs / "bare", "--method", method)


def test_local_directions_are_of_a_picture(packs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 40), (90, 120, 30)).save(packs / "portrait.png")
    words = ["--method", "orthogonal_jacobian", "--count", "2", "--image"]
    found = fit(packs / "small", *words, str(packs / "portrait.png")).directions
    assert (found["local_0"].method, found["local_0"].seed) == ("orthogonal_jacobian", None)
    assert "expected a pack that has an encoder" in refused(
        capsys, packs / "bare", *words, str(packs / "portrait.png")
    )
    (packs / "portrait.png").write_text("no picture")
    assert "portrait.png: not an image that can be read" in refused(
        capsys, packs / "small", *words, str(packs / "portrait.png")
    )


def label(folder: Path, small: Networks, count: int = 60) -> Path:
    """Seeds labelled by the first number of what they draw."""
    lines = ["seed,bright", *(f"{seed},{noise(seed, 8)[0]}" for seed in range(count))]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder / "labels.csv"


def test_labels_of_the_users_own_do_without_an_attribute_network(packs: Path, small: Networks) -> None:
    labels = label(packs, small)
    pack = fit(packs / "bare", "--method", "boundary", "--labels", str(labels), "--space", "z")
    direction = pack.directions["bright_boundary"]
    assert (direction.space, direction.attribute) == (Space.Z, "bright")
    assert (direction.seed, direction.samples) == (None, 60)
    assert np.abs(direction.vector[0]).argmax() == 0


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("", "line 1: expected the columns seed and the labels' names"),
        ("seed\n1\n", "line 1: expected the columns seed and the labels' names"),
        ("seed,a,a\n1,2,3\n", "line 1: expected the columns seed and the labels' names, each once"),
        (
            "seed,Hair\n1,2\n",
            "line 1: column 2: expected lower-case letters, digits and underscores, got 'Hair'",
        ),
        ("seed,../a\n1,2\n", "line 1: column 2: expected lower-case letters"),
        ("seed,a\n", "expected labels, got none"),
        ("seed,a\n1,2\n\n2\n", "line 4: expected 2 columns, got 1"),
        ("seed,a\n1,2\nx,2\n", "line 3: seed: expected a whole number from 0 to 2**64 - 1, got 'x'"),
        ("seed,a\n1,much\n", "line 2: a: expected a number, or nothing, got 'much'"),
        ("seed,a\n1,nan\n", "line 2: a: expected a number, or nothing, got 'nan'"),
        ("seed,a\n1,2\n1,3\n", "seed 1: expected it once, got it 2 times"),
        ("seed,a\n1,2\n2,3\n", "a: expected labels of 16 samples or more, got 2"),
    ],
)
def test_errors_in_labels_are_named_by_line_and_column(
    packs: Path, capsys: pytest.CaptureFixture[str], table: str, why: str
) -> None:
    (packs / "labels.csv").write_text(table)
    told = refused(capsys, packs / "bare", "--method", "boundary", "--labels", str(packs / "labels.csv"))
    assert why in told


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (
            ["--method", "magic"],
            "--method: expected one of boundary, jacobian, pca, closed_form, style_space, text, text_mapper",
        ),
        (["--method", "pca", "--space", "z"], "--space: expected one of w, p for pca, got z"),
        (["--method", "pca", "--layers", "2-9"], "--layers: expected some of 0-7, got 2-9"),
        (["--method", "jacobian", "--layers", "2-3"], "--layers: expected none for jacobian"),
        (["--method", "pca", "--samples", "0"], "--samples: expected 1 or more, got 0"),
        (
            ["--method", "closed_form", "--samples", "9"],
            "--samples: expected none for closed_form, which draws",
        ),
        (
            ["--method", "boundary", "--labels", "a.csv", "--samples", "9"],
            "--samples: expected none for --labels, which draws none",
        ),
        (["--method", "pca", "--seed", "-1"], "--seed: expected 0 to 4294967295, got -1"),
        (["--method", "pca", "--image", "a.png"], "--image: expected none for pca, which is of no image"),
        (["--method", "pca", "--count", "0"], "--count: expected 1 or more, got 0"),
        (["--method", "pca", "--labels", "a.csv"], "--labels: expected none for pca, which takes no labels"),
        (["--method", "boundary", "--samples", "10"], "expected labels of 16 samples or more, got 10"),
        (["--method", "boundary", "--labels", "a.csv"], "a.csv: No such file"),
    ],
)
def test_what_cannot_be_done_is_named_and_the_pack_stays(
    packs: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert why in refused(capsys, packs / "small", *words)


def test_a_run_goes_on_from_what_an_interrupted_one_has_read(
    packs: Path, small: Networks, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--method", "boundary", "--samples", "300", "--work", str(packs / "work")]
    batches: list[int] = []

    def interrupted(networks: Networks, space: Space) -> Read:
        read = reader_of(networks, space)

        def once(codes: Floats) -> Floats:
            if len(batches) == 2:
                raise KeyboardInterrupt
            batches.append(len(codes))
            return read(codes)

        return once

    monkeypatch.setattr(fitting, "reader_of", interrupted)
    before = (packs / "small" / "pack.toml").read_bytes()
    assert cli.main(["directions", "fit", str(packs / "small"), *words]) == 130
    assert "nothing half-written was left" in capsys.readouterr().err
    assert (packs / "small" / "pack.toml").read_bytes() == before
    kept = {path: path.stat().st_mtime_ns for path in (packs / "work").iterdir()}
    assert len(kept) == 2
    monkeypatch.setattr(fitting, "reader_of", reader_of)
    resumed = fit(packs / "small", *words).directions["one_boundary"]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    other = shutil.copytree(packs / "small", packs / "other")
    anew = fit(other, *words[:-2]).directions["one_boundary"]
    np.testing.assert_array_equal(resumed.vector, anew.vector)


def test_what_one_network_has_read_is_not_taken_for_what_another_reads(
    small: Networks, tmp_path: Path
) -> None:
    assert small.attributes is not None
    other = replace(small, attributes=copy.deepcopy(small.attributes))
    assert other.attributes is not None
    with torch.no_grad():
        next(other.attributes.parameters()).add_(0.1)
    attributes = tuple(Attribute(name, name) for name in small.attribute_names)

    def readings(networks: Networks, work: Path | None) -> Floats:
        read = reader_of(networks)
        return read_by_network(networks, read, attributes, Space.W, 20, 1, work).values

    kept = readings(small, tmp_path)
    np.testing.assert_array_equal(readings(other, tmp_path), readings(other, None))
    np.testing.assert_array_equal(readings(small, tmp_path), kept)
    assert not np.array_equal(readings(other, None), kept)


def test_components_of_p_are_measured_drawn_and_kept_as_such(packs: Path) -> None:
    words = ["--method", "pca", "--space", "p", "--samples", "200", "--count", "1"]
    (found,) = [
        each
        for each in fit(packs / "small", *words, "--previews", str(packs)).directions.values()
        if each.method == "pca"
    ]
    assert (found.name, found.space) == ("pca_0", Space.P)
    assert found.calibration > 0
    assert (packs / "pca_0.png").is_file()
