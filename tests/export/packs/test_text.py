"""Packs are given image-text pairs, and attributes that texts score: sealed, read again, exported."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from relatent.core.manifest import PackError
from relatent.core.pack import read_pack
from relatent.core.spaces import Space
from relatent.core.text import TEXT, TOKENIZER
from relatent_export.cli import main
from relatent_export.directions.relevance import measure_relevance
from relatent_export.nets.networks import Networks
from relatent_export.nets.styles import StyleSynthesis
from relatent_export.objectives.methods import METHODS
from relatent_export.packs.methods import set_methods
from relatent_export.packs.pack import write_pack
from relatent_export.packs.pair import PAIR_FILES, TEXT_MODEL, VISION_MODEL
from relatent_export.packs.text import set_scores, set_text
from relatent_export.packs.weights import load_networks
from relatent_export.text.image_text import read_image_text
from relatent_export.text.preparing import PREPARING
from relatent_export.triton.graphs import roles
from tests.export.contents import contents
from tests.export.packs.test_pack import INFO
from tests.export.text.pairs import CONTEXT, WIDTH, write_tokenizer

SCORES = ["glasses=a person with glasses", "age=old"]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What is said of what cannot be done; the pack, which comes second, stays as it is."""
    before = contents(Path(words[1]))
    assert main([*words]) == 1
    assert contents(Path(words[1])) == before
    return capsys.readouterr().err


def test_a_pack_is_given_a_pair_and_codes_of_s_and_stays_whole(
    worded_packs: Path, pair_folder: Path, small: Networks
) -> None:
    pack, networks = read_pack(worded_packs / "own"), load_networks(worded_packs / "own")
    assert main(["verify", str(worded_packs / "own")]) == 0
    assert pack.revision == small.revision
    assert networks.image_text == (pair := read_image_text(pair_folder))
    assert pack.text is not None
    assert (pack.text.context, pack.text.width, pack.text.pad) == (CONTEXT, WIDTH, pair.pad)
    assert (pack.text.neutral, pack.text.beta, pack.text.strength) == ("a person", 0.05, 1.0)
    assert pack.text.tokenizer == pair.tokenizer
    channels = sum(StyleSynthesis(small.generator).widths)
    assert pack.spaces[Space.STYLE].parts["styles"].shape == (channels,)
    assert pack.text.relevance.shape == (channels, WIDTH)
    assert {"small_text", "small_synthesize_style"} <= {*pack.served}
    assert {"text", "synthesize_style"} <= {*roles(networks, spaces=tuple(pack.spaces))}


def test_what_channels_change_is_measured_on_the_packs_own_images(
    worded_packs: Path, pair_folder: Path, small: Networks
) -> None:
    text = read_pack(worded_packs / "own").text
    assert text is not None
    found = measure_relevance(small, read_image_text(pair_folder))
    np.testing.assert_allclose(text.relevance, found.relevance, atol=1e-5)
    np.testing.assert_allclose(text.deviation, found.deviation, rtol=1e-5)
    lengths = np.linalg.norm(text.relevance, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all()
    assert (text.deviation > 0).any()


def test_a_second_pair_takes_the_place_of_the_first(worded: Path, pair_folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(pair_folder, tmp_path / "other"))
    write_tokenizer(other / "tokenizer.json", ("<pad>", "<unknown>", "a", "face"))
    flags = ["--neutral", "a face", "--beta", "0.5", "--strength", "2.5"]
    assert main(["text", str(worded / "own"), str(other), *flags]) == 0
    text = read_pack(worded / "own").text
    assert text is not None
    assert (text.neutral, text.beta, text.strength) == ("a face", 0.5, 2.5)
    assert "glasses" not in text.tokenizer
    assert main(["verify", str(worded / "own")]) == 0


def test_the_method_text_takes_vectors_of_the_pairs_width(worded: Path, pair_folder: Path) -> None:
    assert main(["methods", str(worded / "own"), "hybrid", "text"]) == 0
    manifest = (worded / "own" / "pack.toml").read_text()
    before = read_pack(worded / "own")
    assert before.text is not None
    (worded / "own" / "pack.toml").write_text(
        re.sub(r"(inputs\.text\]\n[^\[]*shape = \[\n)\s*\d+", r"\g<1>    999", manifest)
    )
    assert read_pack(worded / "own").methods["text"].inputs["text"].shape == (999,)
    assert main(["text", str(worded / "own"), str(pair_folder)]) == 0
    assert read_pack(worded / "own").methods["text"].inputs["text"].shape == (before.text.width,)


def test_the_command_tells_what_the_pair_takes(
    worded: Path, pair_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["text", str(worded / "bare"), str(pair_folder)]) == 0
    said = f"{worded / 'bare'}: texts of {CONTEXT} tokens at most, vectors of {WIDTH} numbers\n"
    assert capsys.readouterr().out == said
    text = read_pack(worded / "bare").text
    assert text is not None
    assert text.beta == 0.2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--beta", "0"], "--beta: expected a relevance above 0 and below 1, got 0"),
        (["--beta", "1"], "--beta: expected a relevance above 0 and below 1, got 1"),
        (["--beta", "nan"], "--beta: expected a relevance above 0 and below 1, got nan"),
        (["--strength", "0"], "--strength: expected a finite number above 0, got 0"),
        (["--strength", "inf"], "--strength: expected a finite number above 0, got inf"),
        (["--neutral", " "], "expected words, got ' '"),
        (["--neutral", "a " * (CONTEXT + 1)], f"{CONTEXT} tokens"),
    ],
)
def test_what_edits_cannot_be_told_by_is_refused(
    worded: Path, pair_folder: Path, capsys: pytest.CaptureFixture[str], flags: list[str], says: str
) -> None:
    assert says in refused(capsys, "text", str(worded / "own"), str(pair_folder), *flags)


def test_a_folder_without_a_pair_is_told(
    worded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert str(tmp_path / "nowhere") in refused(
        capsys, "text", str(worded / "own"), str(tmp_path / "nowhere")
    )


@pytest.mark.parametrize("name", [*PAIR_FILES, TEXT])
def test_a_file_of_a_pair_that_is_altered_or_missing_is_named(
    worded: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = worded / "own" / name
    path.write_bytes(path.read_bytes() + b" ")
    assert main(["verify", str(worded / "own")]) == 1
    assert f"{path}: SHA-256 differs from the manifest's" in capsys.readouterr().err
    path.unlink()
    assert main(["verify", str(worded / "own")]) == 1
    assert str(path) in capsys.readouterr().err
    if name in (TOKENIZER, TEXT):  # which a service needs
        with pytest.raises(PackError, match="No such file"):
            read_pack(worded / "own")


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "expected context, pad, width, whole numbers: 'context'"),
        ({"size": 16, "context": 6, "pad": 0}, "expected context, pad, width, whole numbers: 'width'"),
        ({"context": "six", "pad": 0, "width": 5}, "expected context, pad, width, whole numbers: invalid"),
        ({"context": 6, "pad": 0, "width": 5}, "size: expected the side of images, got none"),
        ([], "expected context, pad, width, whole numbers"),
        (6, "expected a table in JSON"),
    ],
)
def test_a_pairs_preparation_that_says_too_little_is_named(worded: Path, said: object, why: str) -> None:
    path = worded / "own" / PREPARING
    path.write_text(json.dumps(said))
    with pytest.raises(ValueError, match="expected") as caught:
        load_networks(worded / "own")
    assert str(caught.value).startswith(f"{path}: {why}")


@pytest.mark.parametrize("name", [VISION_MODEL, TEXT_MODEL])
def test_a_pair_of_which_one_is_missing_is_named(worded: Path, name: str) -> None:
    (worded / "own" / name).unlink()
    with pytest.raises(FileNotFoundError) as caught:
        load_networks(worded / "own")
    assert str(worded / "own") in str(caught.value)


def test_a_pack_that_is_written_anew_forgets_the_texts_of_the_one_before(
    worded: Path, small: Networks
) -> None:
    write_pack(worded / "own", INFO, small, [])
    assert read_pack(worded / "own").text is None
    assert main(["verify", str(worded / "own")]) == 0
    assert not {*PAIR_FILES, TEXT} & {path.name for path in (worded / "own").iterdir()}


def test_texts_score_attributes_that_have_ranges_and_answer_to_codes(
    worded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = worded / "bare"
    assert main(["scores", str(bare), *SCORES, "--codes", "2"]) == 0
    assert capsys.readouterr().out == f"{bare}: glasses, age\n"
    pack = read_pack(bare)
    assert [each.label for each in pack.attributes] == ["a person with glasses", "old"]
    assert all(each.low < each.high for each in pack.attributes)
    assert pack.controls is not None
    assert pack.controls.codes == 2
    assert load_networks(bare).attribute_names == ("glasses", "age")
    assert {"small_attributes", "small_read_style"} <= {*pack.served}
    assert main(["verify", str(bare)]) == 0


def test_other_scores_take_the_place_of_the_first(worded: Path) -> None:
    bare = worded / "bare"
    set_scores(bare, {"glasses": "glasses"}, codes=1)
    assert set_scores(bare, {"hair": "long hair"}, neutral="old", codes=1).attribute_names == ("hair",)
    assert main(["verify", str(bare)]) == 0


@pytest.mark.parametrize(
    ("pack", "scores", "says"),
    [
        ("own", SCORES, "own: expected a pack without an attribute network of its own"),
        ("plain", SCORES, "plain: expected a pack that has an image-text pair (relatent-export text)"),
        ("bare", ["a=old", "a=glasses"], "scores: expected each name once, got a, a"),
        ("bare", ["a=" + "old " * (CONTEXT + 1)], f"{CONTEXT} tokens"),
        ("bare", ["a=old", "--codes", "0"], "codes: expected 1 or more, got 0"),
    ],
)
def test_scores_that_cannot_be_given_are_refused(
    worded: Path,
    small: Networks,
    capsys: pytest.CaptureFixture[str],
    pack: str,
    scores: list[str],
    says: str,
) -> None:
    write_pack(worded / "plain", INFO, replace(small, attributes=None, attribute_names=()), [])
    assert says in refused(capsys, "scores", str(worded / pack), *scores)


@pytest.mark.parametrize("word", ["glasses", "=old", "Glasses=old", "9=old", "a b=old", "a=", "a= "])
def test_a_score_has_a_name_and_a_prompt(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["scores", "pack", word])
    assert caught.value.code == 2
    assert f"expected NAME=PROMPT, a name of lower-case letters, digits and underscores, got '{word}'" in (
        capsys.readouterr().err.replace("\n", " ")
    )


def test_the_method_text_comes_with_a_pair_and_methods_leave_texts_as_they_are(
    worded: Path, small: Networks
) -> None:
    before = read_pack(worded / "own")
    assert set_methods(worded / "own", ["text", "hybrid"]) == ("text", "hybrid")
    pack = read_pack(worded / "own")
    assert pack.methods["text"].inputs["text"].shape == (WIDTH,)
    assert pack.spaces[Space.STYLE] == before.spaces[Space.STYLE]
    assert pack.text is not None
    assert "small_refine_text" in pack.served
    assert main(["verify", str(worded / "own")]) == 0
    write_pack(worded / "plain", INFO, small, [])
    with pytest.raises(ValueError, match="allow none of text"):
        set_methods(worded / "plain", ["text"])
    assert "text" not in set_methods(worded / "plain", [*METHODS])


def test_a_pack_is_given_a_pair_beside_spaces_that_it_has(
    small: Networks, pair_folder: Path, tmp_path: Path
) -> None:
    write_pack(tmp_path / "small", INFO, small, [], methods=["feature", "hybrid"])
    before = read_pack(tmp_path / "small").spaces
    pack = set_text(tmp_path / "small", read_image_text(pair_folder))
    assert pack.spaces == {**before, Space.STYLE: pack.spaces[Space.STYLE]}
