"""`relatent-export coordinates`: what it puts into packs, what it keeps, and what it refuses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from relatent.core.methods import StartRule
from relatent.core.pack import read_pack
from relatent_export import cli
from relatent_export.coordinates import probing, rates
from relatent_export.nets.networks import Networks
from relatent_export.objectives.methods import LIGHT
from relatent_export.packs.coordinates import CoordinatesWanted, set_coordinates
from relatent_export.packs.pack import write_pack
from relatent_export.packs.verifying import verify_pack
from relatent_export.packs.weights import load_networks
from tests.export.packs.test_fitting import FACTS
from tests.fixtures.small import SMALL

NUMBERS = SMALL.layers * SMALL.latent_width
WORDS = ["--rank", "12", "--probes", "64", "--seed", "3"]


@pytest.fixture(scope="module")
def written(small: Networks, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack as whoever imports one has it, of a generator alone; and one that has coordinates."""
    folder = tmp_path_factory.mktemp("packs")
    write_pack(folder / "bare", FACTS, Networks(small.generator), [], [*LIGHT, "optimize_w", "feature"])
    write_pack(folder / "small", FACTS, small, [])
    return folder


@pytest.fixture
def packs(written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copies; few samples at a time, and short refinements to choose by."""
    monkeypatch.setattr("relatent_export.coordinates.samples._MOST", 2)
    monkeypatch.setattr(rates, "STEPS", dict.fromkeys(rates.STEPS, 4))
    return Path(shutil.copytree(written, tmp_path / "packs"))


def given(pack: Path, *words: str) -> None:
    assert cli.main(["coordinates", str(pack), *WORDS, *words]) == 0


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["bare", "small"])
def test_a_pack_gets_coordinates_and_what_goes_with_them(
    packs: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_pack(packs / name)
    given(packs / name)
    said = capsys.readouterr().out
    assert "12 directions of 64 probes" in said
    assert "are to be exported anew" in said
    assert "must be started again" in said
    pack, found = read_pack(packs / name), load_networks(packs / name).coordinates
    assert found is not None
    assert found.basis.shape == (NUMBERS, 12)
    assert found.outside is not None
    state = pack.default_method.state
    assert state["w.m"].shape == state["w.v"].shape == (12 + NUMBERS,)
    steps = pack.default_method.rates
    assert found.unit == pytest.approx(0.02 / steps[StartRule.LATENT])
    assert steps[StartRule.MEAN] != before.default_method.rates[StartRule.MEAN]
    assert verify_pack(packs / name, print, print)
    if name == "bare":
        assert pack.methods["optimize_w"].state["w.m"].shape == (SMALL.latent_width,)
        weights = pack.methods["feature"].terms
        assert weights["offset"] == pytest.approx(1e-3 * found.unit**2)
        assert weights["pixel"] == before.methods["feature"].terms["pixel"]


def test_an_interrupted_run_goes_on_and_the_pack_comes_to_the_same_bytes(
    packs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other, work = shutil.copytree(packs / "small", packs / "other"), ["--work", str(packs / "work")]
    before, step = contents(packs / "small"), probing.Probing.step

    def interrupted(run: probing.Probing) -> None:
        if run.sketch.probes == 40:
            raise KeyboardInterrupt
        step(run)

    with monkeypatch.context() as patch:
        patch.setattr(probing, "_KEPT_EVERY", -1.0)
        patch.setattr(probing.Probing, "step", interrupted)
        assert cli.main(["coordinates", str(packs / "small"), *WORDS, *work]) == 130
    assert contents(packs / "small") == before
    assert "nothing half-written was left" in capsys.readouterr().err
    given(packs / "small", *work)
    given(other)
    assert contents(packs / "small") == contents(other)


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that goes on by so much whenever it is looked at."""
    at = [0.0]

    def clock() -> float:
        at[0] += seconds
        return at[0]

    return clock


def test_a_budget_ends_measuring_with_what_there_is(packs: Path) -> None:
    other = Path(shutil.copytree(packs / "bare", packs / "other"))
    wanted = CoordinatesWanted(rank=12, probes=10_000, budget=1.0)
    found = set_coordinates(packs / "bare", wanted, ticking(2.0))
    assert 12 <= found.probes < 1_000
    again = set_coordinates(other, CoordinatesWanted(rank=12, probes=found.probes))
    assert again == found
    assert contents(packs / "bare") == contents(other)


def test_a_budget_that_choosing_step_sizes_would_use_up_is_refused_after_a_round_and_changes_nothing(
    packs: Path,
) -> None:
    before = contents(packs / "bare")
    short = CoordinatesWanted(rank=12, probes=10_000, budget=0.01)
    with pytest.raises(
        ValueError, match=r"--budget: expected more than the .* minutes that choosing step sizes"
    ):
        set_coordinates(packs / "bare", short, ticking(2.0))
    assert contents(packs / "bare") == before


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--rank", "65"], "--rank: expected 1 to the 64 numbers of a code, got 65"),
        (["--rank", "0"], "--rank: expected 1 to the 64 numbers of a code, got 0"),
        (["--probes", "11"], "--probes: expected 12 or more, which is the rank, got 11"),
        (["--seed", "-1"], "--seed: expected 0 to 4294967295, got -1"),
        (["--budget", "0"], "--budget: expected minutes, above 0, got 0"),
        (["--budget", "nan"], "--budget: expected minutes, above 0, got nan"),
    ],
)
def test_what_is_out_of_range_is_named_and_the_pack_stays(
    packs: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    before = contents(packs / "bare")
    assert cli.main(["coordinates", str(packs / "bare"), *WORDS, *words]) == 1
    assert why in capsys.readouterr().err
    assert contents(packs / "bare") == before


def test_a_run_of_another_pack_or_of_other_options_is_not_gone_on_with(
    packs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ["--work", str(packs / "work")]
    given(packs / "bare", *work)
    for more, why in (
        (["--rank", "11"], "--work: expected a run of rank 11, got one of 12 in "),
        (["--seed", "4"], "--work: expected a run of seed 4, got one of 3 in "),
        (["--probes", "56"], "--probes: expected 64 or more, as are in "),
    ):
        assert cli.main(["coordinates", str(packs / "bare"), *WORDS, *work, *more]) == 1
        assert why in capsys.readouterr().err
    assert cli.main(["coordinates", str(packs / "small"), *WORDS, *work]) == 1
    assert "--work: expected a run of " in capsys.readouterr().err


def test_a_folder_that_cannot_hold_a_run_is_named_before_anything_is_measured(
    packs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (packs / "file").write_text("")
    monkeypatch.setattr(probing.Probing, "step", lambda run: pytest.fail("measured"))
    assert cli.main(["coordinates", str(packs / "bare"), *WORDS, "--work", str(packs / "file")]) == 1
    assert f"{packs / 'file'}" in capsys.readouterr().err


def test_a_pack_without_its_weights_is_refused(packs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (packs / "bare" / "generator.safetensors").unlink()
    assert cli.main(["coordinates", str(packs / "bare"), *WORDS]) == 1
    assert "generator.safetensors" in capsys.readouterr().err
