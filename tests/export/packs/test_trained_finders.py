"""`relatent-export directions fit` with finders that train something: what they put into packs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from relatent_export import cli
from relatent_export.directions.transforms import Transform
from relatent_export.directions.walks import Walk, train_walk
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import write_pack
from tests.export.packs.test_fitting import FACTS, fit, refused


@pytest.fixture(scope="module")
def written(small: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with an attribute network, and one without."""
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder / "small", FACTS, small, [])
    write_pack(folder / "bare", FACTS, Networks(small.generator), [])
    return folder


@pytest.fixture
def packs(written: Path, tmp_path: Path) -> Path:
    shutil.copytree(written, tmp_path / "packs")
    return tmp_path / "packs"


@pytest.mark.parametrize("pack", ["small", "bare"])
def test_walks_keep_their_units_and_their_ranges_in_every_pack(packs: Path, pack: str) -> None:
    previews = packs / "previews"
    words = ["--method", "walk", "--samples", "8", "--previews", str(previews)]
    found = fit(packs / pack, *words).directions
    rotate = found["walk_rotate"]
    assert (rotate.min_strength, rotate.max_strength) == (-45.0, 45.0)
    assert (rotate.method, rotate.seed, rotate.samples) == ("walk", 0, 8)
    assert bool(rotate.calibration) is bool(rotate.attribute) is (pack == "small")
    assert {path.name.split(".")[0] for path in previews.iterdir()} == {
        name for name, each in found.items() if each.method == "walk"
    }


def test_discovered_directions_are_measured_where_they_can_be_and_reach_as_far_as_pairs_were_apart(
    packs: Path,
) -> None:
    words = ["--method", "discover", "--samples", "32", "--count", "2"]
    found = fit(packs / "bare", *words).directions["discovered_1"]
    assert (found.min_strength, found.max_strength, found.calibration) == (-6.0, 6.0, 0.0)
    found = fit(packs / "small", *words).directions["discovered_1"]
    assert found.attribute in ("one", "two", "three")
    assert found.calibration > 0


def test_an_interrupted_walk_goes_on_and_the_pack_comes_to_the_same_bytes(
    packs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--method", "walk", "--samples", "8"]
    trained: list[str] = []

    def interrupted(networks: Networks, transform: Transform, *more: Any) -> Walk:
        if len(trained) == 3:
            raise KeyboardInterrupt
        trained.append(transform.name)
        return train_walk(networks, transform, *more)

    before = {path.name: path.read_bytes() for path in (packs / "bare").iterdir()}
    other = shutil.copytree(packs / "bare", packs / "other")
    with monkeypatch.context() as patch:
        patch.setattr("relatent_export.directions.finders.walk.train_walk", interrupted)
        work = ["--work", str(packs / "work")]
        assert cli.main(["directions", "fit", str(packs / "bare"), *words, *work]) == 130
    assert "nothing half-written was left" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in (packs / "bare").iterdir()} == before
    kept = {path: path.stat().st_mtime_ns for path in (packs / "work").iterdir()}
    assert len(kept) == 3
    fit(packs / "bare", *words, *work)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    fit(other, *words)
    for path in other.iterdir():
        assert path.read_bytes() == (packs / "bare" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--method", "walk", "--samples", "3"], "--samples: expected 4 or more, got 3"),
        (["--method", "walk", "--layers", "2-9"], "--layers: expected some of 0-7, got 2-9"),
        (["--method", "walk", "--image", "a.png"], "--image: expected none for walk, which is of no image"),
        (
            ["--method", "discover", "--count", "2", "--samples", "15"],
            "--samples: expected 16 or more, got 15",
        ),
        (["--method", "discover", "--count", "9"], "--count: expected 2 to the 8 numbers of a code, got 9"),
        (["--method", "discover", "--labels", "a"], "--labels: expected none for discover, which takes no"),
    ],
)
def test_what_cannot_be_trained_is_named_and_the_pack_stays(
    packs: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert why in refused(capsys, packs / "bare", *words)
