"""Directions of S and learned ones, put into packs: their files, their graphs, and what becomes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import Space
from relatent_export.cli import main
from relatent_export.nets.networks import Networks
from relatent_export.packs.directions import put_directions, write_directions
from relatent_export.packs.methods import set_methods
from relatent_export.packs.moves import move_file
from relatent_export.packs.pack import write_pack
from relatent_export.packs.sealing import reseal
from relatent_export.packs.styles import with_styles
from relatent_export.packs.text import set_scores
from relatent_export.packs.weights import load_networks
from relatent_export.text.encoding import embed_texts
from relatent_export.triton.config import parse_config
from relatent_export.triton.graphs import roles
from relatent_export.triton.repository import write_repository
from tests.export.contents import contents
from tests.export.packs.test_fitting import fit, refused
from tests.export.packs.test_pack import INFO

PROMPT = "a person with glasses"
SLUG = "a_person_with_glasses"
TEXT = ["--method", "text", "--prompt", PROMPT]
MAPPER = ["--method", "text_mapper", "--prompt", PROMPT, "--samples", "2"]


@pytest.fixture
def learned(worded: Path) -> Path:
    """A pack with a learned direction."""
    fit(worded / "bare", *MAPPER)
    return worded / "bare"


def run_move(model: onnx.ModelProto, pack: Pack, strengths: list[float]) -> NDArray[np.float32]:
    """Where a learned direction takes the mean."""
    session = onnxruntime.InferenceSession(model.SerializeToString())
    given = {"w": np.repeat(pack.mean[None], len(strengths), axis=0)}
    (moved,) = session.run(["moved"], {**given, "strength": np.array(strengths, np.float32)[:, None]})
    return np.asarray(moved)


def test_a_channel_an_attribute_is_found_and_the_pack_has_codes_of_s(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path / "own", INFO, small, [])
    words = ["--method", "style_space", "--samples", "64", "--previews", str(tmp_path / "previews")]
    pack = fit(tmp_path / "own", *words)
    assert [*pack.directions] == ["one_style", "two_style", "three_style"]
    for direction in pack.directions.values():
        assert direction.space is Space.STYLE
        assert direction.method == "style_space"
        assert np.count_nonzero(direction.vector) == 1
        assert direction.calibration > 0
        assert direction.leak is not None
        assert (tmp_path / "previews" / f"{direction.name}.png").is_file()
    assert "small_synthesize_style" in pack.served
    assert main(["verify", str(tmp_path / "own")]) == 0


def test_codes_of_s_are_given_once_and_stay_with_other_methods(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [])
    revision = read_pack(tmp_path).revision
    reseal(tmp_path, "styles", {}, {"spaces": with_styles(tmp_path, small)})
    before = contents(tmp_path)
    reseal(tmp_path, "styles", {}, {"spaces": with_styles(tmp_path, small)})
    assert contents(tmp_path) == before
    parts = read_pack(tmp_path).spaces[Space.STYLE]
    set_methods(tmp_path, ["feature", "hybrid"])
    pack = read_pack(tmp_path)
    assert pack.spaces[Space.STYLE] == parts
    assert Space.FEATURE in pack.spaces
    assert pack.revision == revision


def test_methods_keep_what_was_measured_of_those_that_stay(small: Networks, tmp_path: Path) -> None:
    write_pack(tmp_path, INFO, small, [], methods=["hybrid"])
    manifest = (tmp_path / "pack.toml").read_text()
    assert "[methods.hybrid.answer]" in manifest
    measured = "[methods.hybrid.measured]\nmse = 0.25\n\n[methods.hybrid.answer]"
    (tmp_path / "pack.toml").write_text(manifest.replace("[methods.hybrid.answer]", measured))
    set_methods(tmp_path, ["encoder", "hybrid"])
    methods = read_pack(tmp_path).methods
    assert methods["hybrid"].measured == {"mse": 0.25}
    assert methods["encoder"].measured == {}


def test_a_texts_direction_goes_where_an_edit_by_it_goes(worded: Path) -> None:
    pack = fit(worded / "bare", *TEXT)
    assert pack.text is not None
    direction, pair = pack.directions[f"{SLUG}_text"], load_networks(worded / "bare").image_text
    assert pair is not None
    neutral, prompt = embed_texts(pair, ["a person", PROMPT])
    change = pack.text.change(neutral, prompt, pack.text.beta)
    np.testing.assert_allclose(direction.lengths[0] * direction.vector[0], change, atol=1e-6)
    assert (direction.space, direction.method) == (Space.STYLE, "text")
    assert (direction.min_strength, direction.max_strength) == (-5.0, 5.0)
    other = fit(worded / "bare", *TEXT, "--beta", "0.4", "--neutral", "old").directions[f"{SLUG}_text"]
    assert np.count_nonzero(other.vector) < np.count_nonzero(direction.vector)


def test_a_texts_direction_is_measured_by_the_packs_own_attributes(worded: Path) -> None:
    found = fit(worded / "own", *TEXT).directions[f"{SLUG}_text"]
    assert found.attribute in ("one", "two", "three")
    assert found.calibration != 0
    assert found.leak is not None


def test_a_mapper_is_sealed_in_the_pack_as_a_graph_and_a_direction_without_a_vector(learned: Path) -> None:
    pack, file = read_pack(learned), move_file(f"{SLUG}_mapper")
    direction = pack.directions[f"{SLUG}_mapper"]
    assert direction.learned
    assert not direction.vector.any()
    assert (direction.min_strength, direction.max_strength, direction.samples) == (-2.0, 2.0, 2)
    assert f"small_move_{SLUG}_mapper" in pack.served
    assert f'"{file}" = ' in (learned / "pack.toml").read_text()
    assert main(["verify", str(learned)]) == 0
    still, moved = run_move(onnx.load(learned / file), pack, [0.0, 1.0])
    np.testing.assert_array_equal(still, pack.mean)
    assert np.abs(moved - pack.mean).max() > 0


def test_a_mapper_is_measured_by_moving_codes_through_it(worded: Path) -> None:
    found = fit(worded / "own", *MAPPER).directions[f"{SLUG}_mapper"]
    assert found.attribute in ("one", "two", "three")
    assert found.calibration != 0
    assert (found.min_strength, found.max_strength) == (-2.0, 2.0)


def test_a_mapper_that_is_altered_or_missing_is_named(
    learned: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = learned / move_file(f"{SLUG}_mapper")
    path.write_bytes(path.read_bytes() + b" ")
    assert main(["verify", str(learned)]) == 1
    assert f"{path}: SHA-256 differs from the manifest's" in capsys.readouterr().err
    path.unlink()
    assert main(["verify", str(learned)]) == 1
    assert f"{path}: missing" in capsys.readouterr().err
    manifest = (learned / "pack.toml").read_text().splitlines()
    (learned / "pack.toml").write_text("\n".join(line for line in manifest if path.name not in line))
    assert main(["verify", str(learned)]) == 1
    assert (
        f"{path}: not in the manifest, and '{SLUG}_mapper' is a learned direction" in capsys.readouterr().err
    )


def test_a_direction_that_goes_takes_its_network_along_and_others_keep_theirs(learned: Path) -> None:
    path, directions = learned / move_file(f"{SLUG}_mapper"), read_pack(learned).directions
    fit(learned, *TEXT)
    assert path.is_file()
    plain = read_pack(learned).directions[f"{SLUG}_text"]
    put_directions(learned, [plain])
    assert path.is_file()
    assert main(["verify", str(learned)]) == 0
    write_directions(learned, [plain])
    assert not path.exists()
    assert path.name not in (learned / "pack.toml").read_text()
    assert main(["verify", str(learned)]) == 0
    assert [*directions] == [f"{SLUG}_mapper"]


def test_a_pack_that_is_written_anew_has_no_networks_of_directions_before(
    learned: Path, small: Networks
) -> None:
    write_pack(learned, INFO, Networks(small.generator), [])
    assert not [*learned.glob("move_*")]
    assert main(["verify", str(learned)]) == 0


def test_the_repository_has_a_graph_for_each_learned_direction_and_drops_it_with_the_direction(
    learned: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The others take long to trace.
    monkeypatch.setattr("relatent_export.triton.repository.build_graphs", lambda *_, **__: iter(()))
    name, other = f"small_move_{SLUG}_mapper", tmp_path / "repository" / "other_move_x"
    other.mkdir(parents=True)
    written = write_repository(learned, tmp_path / "repository")
    assert [path.name for path in written] == [name]
    # Of a pack called small_move, whose models' names begin as those of this one's directions.
    neighbour = tmp_path / "repository" / "small_move_encode"
    shutil.copytree(tmp_path / "repository" / name, neighbour)
    config = (neighbour / "config.pbtxt").read_text()
    assert 'string_value: "small"' in config
    (neighbour / "config.pbtxt").write_text(config.replace('"small"', '"small_move"'))
    config = parse_config((tmp_path / "repository" / name / "config.pbtxt").read_text())
    assert [(each.name, [*each.dims]) for each in config.input] == [("w", [8, 8]), ("strength", [1])]
    assert [(each.name, [*each.dims]) for each in config.output] == [("moved", [8, 8])]
    assert not config.model_warmup[0].inputs["w"].input_data_file
    sealed = onnx.load(learned / move_file(f"{SLUG}_mapper"))
    served = onnx.load(tmp_path / "repository" / name / "1" / "model.onnx")
    pack = read_pack(learned)
    np.testing.assert_array_equal(run_move(served, pack, [0.5]), run_move(sealed, pack, [0.5]))
    write_directions(learned, [fit(learned, *TEXT).directions[f"{SLUG}_text"]])
    write_repository(learned, tmp_path / "repository")
    assert not (tmp_path / "repository" / name).exists()
    assert other.is_dir()
    assert neighbour.is_dir()


def test_a_learned_direction_without_its_network_cannot_be_exported(learned: Path, tmp_path: Path) -> None:
    (learned / move_file(f"{SLUG}_mapper")).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        write_repository(learned, tmp_path / "repository")
    assert caught.value.filename == str(learned / move_file(f"{SLUG}_mapper"))
    assert not (tmp_path / "repository").exists()


def test_a_pack_with_styles_has_their_graph_among_its_roles(worded_packs: Path) -> None:
    pack, networks = read_pack(worded_packs / "own"), load_networks(worded_packs / "own")
    found = roles(networks, tuple(pack.methods), tuple(pack.spaces))
    assert {*found} >= {"synthesize_style", "text"}
    assert {"synthesize_style", "text"} & {*roles(Networks(networks.generator))} == set()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--method", "text"], "--prompt: expected what text's are to lead to, got none"),
        (["--method", "text_mapper", "--prompt", " "], "--prompt: expected what text_mapper's are to lead"),
        ([*TEXT, "--layers", "0-1"], "--layers: expected none for text in s"),
        ([*MAPPER, "--layers", "0-1"], "--layers: expected none for text_mapper in w+"),
        ([*TEXT, "--space", "w"], "--space: expected one of s for text, got w"),
        ([*TEXT, "--samples", "5"], "--samples: expected none for text, which draws none"),
        ([*TEXT, "--beta", "1"], "--beta: expected a relevance above 0 and below 1, got 1"),
        ([*TEXT, "--beta", "0.9999"], f"--beta: no channel has a relevance of 0.9999 or more for '{PROMPT}'"),
        (["--method", "pca", "--prompt", "old"], "--prompt: expected none for pca, which takes no text"),
        (["--method", "pca", "--neutral", "old"], "--neutral: expected none for pca, which takes no text"),
        (["--method", "pca", "--beta", "0.5"], "--beta: expected none for pca, which takes no text"),
        (["--method", "style_space"], "bare: expected a pack that has an attribute network"),
    ],
)
def test_what_cannot_be_found_is_named_and_the_pack_stays(
    worded: Path, capsys: pytest.CaptureFixture[str], words: list[str], why: str
) -> None:
    assert why in refused(capsys, worded / "bare", *words)


def test_a_prompt_that_is_too_long_or_the_neutral_text_is_refused(
    worded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "expected a text of at most 6 tokens, got 7" in refused(
        capsys, worded / "bare", "--method", "text", "--prompt", "old " * 7
    )
    assert "--beta: no channel has a relevance" in refused(
        capsys, worded / "bare", "--method", "text", "--prompt", "a person"
    )


@pytest.mark.parametrize("method", ["text", "text_mapper"])
def test_a_pack_without_a_pair_is_told_what_it_lacks(
    small: Networks, tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    write_pack(tmp_path / "plain", INFO, small, [])
    said = refused(capsys, tmp_path / "plain", "--method", method, "--prompt", "old")
    assert "plain: expected a pack that has an image-text pair (relatent-export text)" in said


def test_channels_are_found_through_an_attribute_network_in_onnx(worded: Path) -> None:
    set_scores(worded / "bare", {"glasses": PROMPT}, codes=1)
    found = fit(worded / "bare", "--method", "style_space", "--samples", "64").directions["glasses_style"]
    assert found.calibration > 0
    assert np.count_nonzero(found.vector) == 1
    found = fit(worded / "bare", *TEXT).directions[f"{SLUG}_text"]
    assert found.attribute == "glasses"


def test_it_says_that_graphs_are_to_be_exported_where_there_are_more(
    worded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = worded / "bare"
    for words, more in ((["--method", "pca", "--samples", "64", "--count", "1"], False), (list(TEXT), True)):
        assert main(["directions", "fit", str(pack), *words]) == 0
        said = f"{pack}: its graphs are to be exported anew: relatent-export repository {pack}"
        assert (said in capsys.readouterr().out.splitlines()) is more
