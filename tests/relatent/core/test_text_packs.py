"""Packs with codes of S, texts and learned directions: read as they were written, or refused."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from relatent.core.directions import direction_entry
from relatent.core.manifest import MANIFEST, PackError
from relatent.core.pack import file_digest, read_pack
from relatent.core.spaces import Space
from relatent.core.text import TEXT, TOKENIZER
from tests.fixtures import texts
from tests.fixtures.directions import add_directions
from tests.fixtures.tiny import write_tiny


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    packs, _ = write_tiny(tmp_path)
    texts.add_texts(packs / "tiny")
    return packs / "tiny"


def alter(pack: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Write the manifest otherwise."""
    manifest = tomllib.loads((pack / MANIFEST).read_text())
    change(manifest)
    (pack / MANIFEST).write_text(tomli_w.dumps(manifest))


def error_of(pack: Path) -> str:
    with pytest.raises(PackError) as caught:
        read_pack(pack)
    return str(caught.value)


def test_codes_of_s_have_a_graph_and_are_made_of_a_code_and_a_change(pack: Path) -> None:
    shape = read_pack(pack).spaces[Space.STYLE]
    assert (shape.graph, shape.read_graph) == ("synthesize_style", "read_style")
    assert {name: part.shape for name, part in shape.parts.items()} == {"w": (2, 4), "styles": (4,)}


def test_what_is_known_of_texts_is_read(pack: Path) -> None:
    text = read_pack(pack).text
    assert text is not None
    assert (text.context, text.pad, text.width, text.neutral) == (5, 0, 3, "a person")
    assert (text.beta, text.strength) == (0.2, 1.5)
    assert text.tokenizer == texts.tokenizer()
    np.testing.assert_array_equal(text.relevance, texts.RELEVANCE)
    np.testing.assert_array_equal(text.deviation, texts.DEVIATION)


def test_directions_of_s_and_learned_ones_are_read_as_they_were_written(pack: Path) -> None:
    found = read_pack(pack).directions
    for written in texts.directions():
        assert direction_entry(found[written.name]) == direction_entry(written)
        np.testing.assert_array_equal(found[written.name].vector, written.vector)
    assert [name for name, each in found.items() if each.learned] == ["grow"]
    assert (pack / MANIFEST).read_text().count("learned = true") == 1


def test_the_graphs_that_all_of_it_needs_are_to_be_served(pack: Path) -> None:
    wanted = {"synthesize_style", "read_style", "text", "refine_text", "move_grow"}
    served = read_pack(pack).served
    assert {f"tiny_{role}" for role in wanted} <= {*served}
    assert len({*served}) == len(served)

    def plain(manifest: dict[str, Any]) -> None:
        del manifest["text"], manifest["spaces"], manifest["methods"]["text"]
        manifest["directions"] = manifest["directions"][:3]

    alter(pack, plain)
    assert read_pack(pack).text is None
    assert {*read_pack(pack).served} == {*served} - {f"tiny_{role}" for role in wanted}


@pytest.mark.parametrize("name", [TEXT, TOKENIZER])
def test_a_missing_or_altered_file_is_named(pack: Path, name: str) -> None:
    (pack / name).write_bytes((pack / name).read_bytes() + b" ")
    assert error_of(pack) == f"{pack / name}: SHA-256 differs from the manifest's"
    (pack / name).unlink()
    assert error_of(pack) == f"{pack / name}: No such file or directory"
    alter(pack, lambda manifest: manifest["files"].pop(name))
    assert error_of(pack).startswith(f"{pack / name}: No such file or directory")


@pytest.mark.parametrize(
    ("name", "array", "says"),
    [
        ("deviation", np.ones(3, np.float32), "deviation: expected float32 [4], got float32 [3]"),
        ("deviation", np.ones(4), "deviation: expected float32 [4], got float64 [4]"),
        ("relevance", np.ones((4, 2), np.float32), "relevance: expected float32 [4, 3], got float32 [4, 2]"),
        ("relevance", np.ones((3, 3), np.float32), "relevance: expected float32 [4, 3], got float32 [3, 3]"),
        (
            "relevance",
            np.full((4, 3), np.nan, np.float32),
            "relevance: expected finite numbers, got others among them",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(pack: Path, name: str, array: NDArray[Any], says: str) -> None:
    save_file(load_file(pack / TEXT) | {name: array}, pack / TEXT)
    alter(pack, lambda manifest: manifest["files"].update({TEXT: file_digest(pack / TEXT)}))
    assert error_of(pack) == f"{pack / TEXT}: {says}"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"beta": 1.0}, "text: expected context and width of 1 or more"),
        ({"strength": float("inf")}, "text.strength: expected a finite number, got inf"),
        ({"context": "many"}, "invalid literal"),
        ({"width": 4}, "relevance: expected float32 [4, 4], got float32 [4, 3]"),
    ],
)
def test_a_table_of_texts_that_is_none_is_refused(pack: Path, changes: dict[str, Any], says: str) -> None:
    alter(pack, lambda manifest: manifest["text"].update(changes))
    assert says in error_of(pack)


@pytest.mark.parametrize("field", ["context", "pad", "width", "neutral", "beta", "strength"])
def test_a_field_that_is_missing_of_texts_is_named(pack: Path, field: str) -> None:
    alter(pack, lambda manifest: manifest["text"].pop(field))
    assert error_of(pack) == f"{pack / MANIFEST}: KeyError: '{field}'"


def test_texts_move_codes_of_s_and_so_the_pack_has_to_have_them(pack: Path) -> None:
    def without(manifest: dict[str, Any]) -> None:
        del manifest["spaces"]
        manifest["directions"] = manifest["directions"][:3]

    alter(pack, without)
    assert "text: expected codes of s, which texts move" in error_of(pack)


def test_codes_of_s_without_styles_are_refused(pack: Path) -> None:
    alter(pack, lambda manifest: manifest["spaces"]["s"]["parts"].pop("styles"))
    assert "spaces.s.parts: expected a part styles" in error_of(pack)


def test_a_direction_of_s_is_as_wide_as_the_styles_and_needs_them(pack: Path) -> None:
    wide = replace(texts.directions()[0], name="wide", vector=np.eye(1, 5, dtype=np.float32))
    add_directions(pack, [wide])
    assert "wide: expected float32 [1, 4], got float32 [1, 5]" in error_of(pack)
    alter(pack, lambda manifest: manifest.pop("text"))
    alter(pack, lambda manifest: manifest.pop("spaces"))
    assert "direction 'channel': space: the pack has no codes of s" in error_of(pack)
