"""A pack that cannot be used says which file of it is at fault."""

from __future__ import annotations

import errno
import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from safetensors.numpy import load_file, save_file

from relatent.core.manifest import MANIFEST, PackError
from relatent.core.methods import StartRule
from relatent.core.pack import DIRECTIONS, LATENTS, file_digest, read_pack, read_packs
from tests.fixtures.tiny import write_tiny

FILES = (MANIFEST, LATENTS, DIRECTIONS)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """The folder of a pack that can be read, until a test breaks it."""
    packs, _ = write_tiny(tmp_path)
    read_pack(packs / "tiny")
    return packs / "tiny"


def the_error_of(pack: Path) -> str:
    """What is said of a pack, the same when it is read alone and with its neighbours."""
    with pytest.raises(PackError) as alone:
        read_pack(pack)
    with pytest.raises(PackError, match=re.escape(str(alone.value))):
        read_packs(pack.parent)
    return str(alone.value)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_may_not_be_read_is_named(pack: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    really_open = Path.open

    # Rights would not do: root reads whatever they say.
    def refuse(path: Path, *args: Any, **options: Any) -> Any:
        if path.name == name:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really_open(path, *args, **options)

    monkeypatch.setattr(Path, "open", refuse)
    assert the_error_of(pack) == f"{pack / name}: Permission denied"


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_place_of_a_file_is_named(pack: Path, name: str) -> None:
    (pack / name).unlink()
    (pack / name).mkdir()
    assert the_error_of(pack) == f"{pack / name}: Is a directory"


@pytest.mark.parametrize("name", [LATENTS, DIRECTIONS])
def test_a_missing_file_is_named_even_where_the_manifest_does_not_list_it(pack: Path, name: str) -> None:
    (pack / name).unlink()
    assert the_error_of(pack).startswith(f"{pack / name}: No such file")
    lines = (pack / MANIFEST).read_text().splitlines()
    unlisted = [line for line in lines if name not in line]
    assert len(unlisted) == len(lines) - 1
    (pack / MANIFEST).write_text("\n".join(unlisted))
    assert the_error_of(pack).startswith(f"{pack / name}: No such file")


@pytest.mark.parametrize("name", [LATENTS, DIRECTIONS])
def test_a_sealed_file_that_holds_no_tensors_is_named(pack: Path, name: str) -> None:
    before = file_digest(pack / name)
    (pack / name).write_bytes(b"no tensors")
    manifest = (pack / MANIFEST).read_text()
    (pack / MANIFEST).write_text(manifest.replace(before, file_digest(pack / name)))
    assert the_error_of(pack).startswith(f"{pack / name}: ")


def test_a_file_that_was_altered_is_named(pack: Path) -> None:
    (pack / LATENTS).write_bytes((pack / LATENTS).read_bytes() + b" ")
    assert the_error_of(pack) == f"{pack / LATENTS}: SHA-256 differs from the manifest's"


@pytest.mark.parametrize("name", [LATENTS, DIRECTIONS])
def test_a_number_that_is_none_is_refused_by_its_file_and_name(pack: Path, name: str) -> None:
    before = file_digest(pack / name)
    arrays = load_file(pack / name)
    first = min(arrays)
    arrays[first][0, 0] = np.nan
    save_file(arrays, pack / name)
    manifest = pack / MANIFEST
    manifest.write_text(manifest.read_text().replace(before, file_digest(pack / name)))
    assert the_error_of(pack) == f"{pack / name}: {first}: expected finite numbers, got others among them"


@pytest.mark.parametrize("kind", ["partial", "replaced"])
def test_what_is_being_written_or_replaced_is_no_pack(pack: Path, kind: str) -> None:
    shutil.copytree(pack, pack.with_name(f".tiny.{kind}"))
    assert read_packs(pack.parent).keys() == {"tiny"}


def test_a_manifest_that_is_no_toml_is_named(pack: Path) -> None:
    (pack / MANIFEST).write_text("format")
    assert the_error_of(pack).startswith(f"{pack / MANIFEST}: not TOML: ")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("max_steps", "KeyError: 'max_steps'"),
        ("rates", "KeyError: 'rates'"),
        ("answer", "KeyError: 'answer'"),
    ],
)
def test_a_manifest_without_what_a_service_needs_says_what(pack: Path, entry: str, what: str) -> None:
    manifest = tomllib.loads((pack / MANIFEST).read_text())
    del manifest["methods"]["hybrid"][entry]
    (pack / MANIFEST).write_text(tomli_w.dumps(manifest))
    assert what in the_error_of(pack)


def test_a_pack_needs_a_method_and_an_encoder_for_those_that_start_from_one(pack: Path) -> None:
    manifest = tomllib.loads((pack / MANIFEST).read_text())
    (pack / MANIFEST).write_text(tomli_w.dumps(manifest | {"encoder": False}))
    assert "methods.hybrid.rates: starts from an encoder that the pack has not" in the_error_of(pack)
    (pack / MANIFEST).write_text(tomli_w.dumps(manifest | {"methods": {}}))
    assert "methods: expected at least one" in the_error_of(pack)


def as_format_1(pack: Path, **changes: Any) -> None:
    """Write the manifest as packs had it before there were methods."""
    manifest = tomllib.loads((pack / MANIFEST).read_text())
    hybrid = manifest.pop("methods")["hybrid"]
    manifest["refine"] = {
        "max_steps": hybrid["max_steps"],
        "default_steps": hybrid["default_steps"],
        "learning_rate": {"encoder": 0.02, "mean": 0.05},
        "weights": hybrid["terms"],
        "state": hybrid["state"],
    }
    (pack / MANIFEST).write_text(tomli_w.dumps(manifest | {"format": 1} | changes))


def test_a_pack_of_format_1_is_one_with_the_method_hybrid(pack: Path) -> None:
    today = read_pack(pack).methods["hybrid"]
    as_format_1(pack)
    assert read_pack(pack).methods == {"hybrid": today}


def test_a_pack_of_format_1_without_an_encoder_starts_from_its_mean(pack: Path) -> None:
    as_format_1(pack, encoder=False)
    method = read_pack(pack).default_method
    assert method.rates == {StartRule.MEAN: 0.05, StartRule.LATENT: 0.02}


def test_a_pack_of_another_format_is_refused_and_those_taken_are_told(pack: Path) -> None:
    as_format_1(pack, format=3)
    assert "format: expected 1 or 2, got 3" in the_error_of(pack)


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_where_there_is_no_pack_the_folder_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PackError, match="expected at least one folder") as caught:
        read_packs(tmp_path / folder)
    assert str(caught.value).startswith(f"{tmp_path / folder}: ")


@pytest.mark.parametrize(
    ("line", "instead", "what"),
    [
        ('name = "tiny"', 'name = "../../tiny"', "name: expected lower-case letters"),
        ('"latents.safetensors" =', '"../latents.safetensors" =', "files: expected names of files"),
        ("encoder = 0.02", 'encoder = "fast"', "could not convert"),
        (
            "encoder = 0.02",
            "encoder = nan",
            "methods.hybrid.rates.encoder: expected a finite number, got nan",
        ),
        ("bias = -0.25", "bias = -inf", "direction 'brightness': bias: expected a finite number, got -inf"),
    ],
)
def test_a_manifest_that_leads_elsewhere_is_refused(pack: Path, line: str, instead: str, what: str) -> None:
    manifest = pack / MANIFEST
    assert line in manifest.read_text()
    manifest.write_text(manifest.read_text().replace(line, instead, 1))
    assert what in the_error_of(pack)
