"""Latent codes keep what they belong to, in memory and in files."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save_file

import relatent
from relatent.client.latents import latent_code, latent_message

VALUES = np.arange(8, dtype=np.float32).reshape(2, 4)
METADATA = {
    "relatent.format": "1",
    "relatent.pack": "tiny",
    "relatent.revision": "ab",
    "relatent.space": "w+",
}


def code(values: object = VALUES, space: relatent.Space = relatent.Space.W_PLUS) -> relatent.LatentCode:
    return relatent.LatentCode(np.asarray(values), "tiny", "ab", space)


@pytest.mark.parametrize(
    "latent", [code(), code(VALUES[0], relatent.Space.W), code(np.asfortranarray(VALUES))]
)
def test_a_saved_code_comes_back_the_same(tmp_path: Path, latent: relatent.LatentCode) -> None:
    latent.save(tmp_path / "a.safetensors")
    loaded = relatent.LatentCode.load(tmp_path / "a.safetensors")
    assert np.array_equal(loaded.values, latent.values)
    assert (loaded.pack, loaded.revision, loaded.space) == ("tiny", "ab", latent.space)


def test_a_file_says_what_its_code_belongs_to(tmp_path: Path) -> None:
    code().save(tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", framework="np") as file:
        assert file.metadata() == METADATA


def test_equal_codes_make_equal_files(tmp_path: Path) -> None:
    written = set()
    for number in range(8):
        code().save(path := tmp_path / f"{number}.safetensors")
        written.add(path.read_bytes())
    [data] = written
    length = int.from_bytes(data[:8], "little")
    assert length % 8 == 0  # so that the tensor lies as the format recommends
    assert data[8 + length :] == VALUES.tobytes()


@pytest.mark.parametrize("pack", ["tiny", "größe", 'a"b\\c', "\N{SNOWMAN}"])
def test_a_file_is_what_the_formats_own_library_reads(tmp_path: Path, pack: str) -> None:
    path = tmp_path / "a.safetensors"
    relatent.LatentCode(VALUES, pack, "ab").save(path)
    with safe_open(path, framework="np") as file:
        assert file.metadata() == METADATA | {"relatent.pack": pack}
        assert file.get_tensor("latent").dtype == np.float32
        assert np.array_equal(file.get_tensor("latent"), VALUES)


def test_a_code_goes_over_the_wire_and_back() -> None:
    back = latent_code(latent_message(code()))
    assert np.array_equal(back.values, VALUES)
    assert back.space is relatent.Space.W_PLUS


def test_a_code_cannot_be_changed_behind_its_back() -> None:
    values = VALUES.copy()
    latent = code(values)
    values[0, 0] = 99
    assert latent.values[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        latent.values[0, 0] = 1


def test_a_code_with_other_values_belongs_to_the_same_pack() -> None:
    moved = code().replace(VALUES + 1)
    assert (moved.pack, moved.revision, moved.space) == ("tiny", "ab", relatent.Space.W_PLUS)
    assert moved.values[0, 0] == 1


@pytest.mark.parametrize(
    ("values", "space", "message"),
    [
        (VALUES, relatent.Space.W, r"expected float32 \[D\] in w, got \[2, 4\]"),
        (VALUES[0], relatent.Space.W_PLUS, r"expected float32 \[L, D\] in w\+, got \[4\]"),
        (np.full((2, 4), np.nan), relatent.Space.W_PLUS, "finite"),
        (np.zeros((0, 4)), relatent.Space.W_PLUS, "expected float32"),
    ],
)
def test_values_that_are_no_code_are_refused(values: object, space: relatent.Space, message: str) -> None:
    with pytest.raises(relatent.InputError, match=message):
        code(values, space)


def without(key: str) -> dict[str, str]:
    return {name: value for name, value in METADATA.items() if name != f"relatent.{key}"}


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"latent": VALUES}, None, "not a latent code of Relatent: no pack, revision, space"),
        ({"latent": VALUES}, without("revision"), "no revision in its metadata"),
        (
            {"latent": VALUES},
            METADATA | {"relatent.space": "z"},
            r"expected one of w, w\+, s, .*'z'",
        ),
        (
            {"latent": VALUES},
            METADATA | {"relatent.format": "9"},
            "relatent.format: expected '1' or '2', got '9'",
        ),
        ({"mean": VALUES}, METADATA, r"expected one tensor called 'latent', got \['mean'\]"),
        ({"latent": VALUES.astype(np.float64)}, METADATA, "expected float32, got float64"),
        ({"latent": VALUES[0]}, METADATA, r"got \[4\]"),
        ({"latent": np.full_like(VALUES, np.inf)}, METADATA, "finite"),
    ],
)
def test_a_file_of_something_else_is_told_so(
    tmp_path: Path, tensors: dict[str, NDArray[Any]], metadata: dict[str, str] | None, message: str
) -> None:
    path = tmp_path / "a.safetensors"
    save_file(tensors, path, metadata)
    with pytest.raises(relatent.LatentFileError, match=message) as caught:
        relatent.LatentCode.load(path)
    assert str(path) in str(caught.value)


def test_a_file_that_is_no_safetensors_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"\x89PNG\r\n\x1a\n, a picture")
    with pytest.raises(relatent.LatentFileError, match=r"not a \.safetensors file"):
        relatent.LatentCode.load(path)


def test_a_missing_file_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(relatent.LatentFileError, match="no such file"):
        relatent.LatentCode.load(tmp_path / "a.safetensors")
    with pytest.raises(relatent.LatentFileError, match="cannot be written"):
        code().save(tmp_path / "nowhere" / "a.safetensors")
    with pytest.raises(relatent.LatentFileError, match=r"expected a name ending in \.safetensors"):
        code().save(tmp_path / "a.npy")


def test_what_is_no_file_is_neither_waited_for_nor_written_over(tmp_path: Path) -> None:
    folder, pipe = tmp_path / "folder.safetensors", tmp_path / "pipe.safetensors"
    folder.mkdir()
    os.mkfifo(pipe)
    for path, name in ((folder, "a folder"), (pipe, "a named pipe")):
        with pytest.raises(relatent.LatentFileError, match=f"cannot be read: expected a file, got {name}"):
            relatent.LatentCode.load(path)
        with pytest.raises(relatent.LatentFileError, match=f"cannot be written: expected a file, got {name}"):
            code().save(path)
    assert pipe.is_fifo()


def test_a_saved_code_may_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    code().save(tmp_path / "a.safetensors")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.safetensors").stat().st_mode == (tmp_path / "plain").stat().st_mode


OFFSET = np.linspace(-1, 1, 12, dtype=np.float16).reshape(3, 2, 2)


def feature(**parts: Any) -> relatent.LatentCode:
    return relatent.LatentCode(
        VALUES, "tiny", "ab", relatent.Space.FEATURE, {"offset": OFFSET, "origin": VALUES, **parts}
    )


def test_a_code_with_parts_comes_back_whole_from_files_messages_and_pickles(tmp_path: Path) -> None:
    latent = feature()
    latent.save(tmp_path / "a.safetensors")
    copies = (
        relatent.LatentCode.load(tmp_path / "a.safetensors"),
        latent_code(latent_message(latent)),
        pickle.loads(pickle.dumps(latent)),
        latent.replace(VALUES),
    )
    for copy in copies:
        assert (copy.space, copy.parts.keys()) == (relatent.Space.FEATURE, latent.parts.keys())
        for name, part in latent.parts.items():
            np.testing.assert_array_equal(copy.parts[name], part)
            assert copy.parts[name].dtype == part.dtype
            assert not copy.parts[name].flags.writeable
    with safe_open(tmp_path / "a.safetensors", framework="np") as file:
        assert file.metadata()["relatent.format"] == "2"
        assert sorted(file.keys()) == ["latent", "offset", "origin"]


def test_a_code_is_reduced_to_its_vectors_where_they_are_one_code() -> None:
    assert feature().reduced().space is relatent.Space.W_PLUS
    np.testing.assert_array_equal(feature().reduced().values, VALUES)
    assert code(VALUES[0], relatent.Space.W).reduced().space is relatent.Space.W
    several = relatent.LatentCode(
        VALUES[None], "tiny", "ab", relatent.Space.MULTI, {"weights": np.ones((1, 3), np.float32)}
    )
    with pytest.raises(relatent.InputError, match="several of"):
        several.reduced()


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"offset": OFFSET.astype(np.float64)}, "offset: expected float16 or float32, got float64"),
        ({"offset": np.full((1,), np.nan, np.float16)}, "offset: expected finite values only"),
        ({"offset": np.empty((0,), np.float16)}, "offset: expected float16 or float32"),
    ],
)
def test_a_part_that_is_none_is_refused_by_its_name(parts: dict[str, Any], told: str) -> None:
    with pytest.raises(relatent.InputError, match=told):
        feature(**parts)


def test_parts_belong_to_spaces_that_have_some() -> None:
    with pytest.raises(relatent.InputError, match=r"parts: expected none in w\+"):
        relatent.LatentCode(VALUES, "tiny", "ab", relatent.Space.W_PLUS, {"offset": OFFSET})
    with pytest.raises(relatent.InputError, match="parts: expected some in feature"):
        relatent.LatentCode(VALUES, "tiny", "ab", relatent.Space.FEATURE)
