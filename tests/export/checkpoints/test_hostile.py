"""No file runs code, wherever it hides it."""

from __future__ import annotations

import codecs
import contextlib
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from relatent_export.checkpoints import read_checkpoint
from relatent_export.checkpoints.allowlist import BUILDERS
from relatent_export.checkpoints.errors import DamagedFile, UnsafeFile, UnsupportedFile
from tests.export.checkpoints.hostile import HOSTILE, Calls, carelessly, evaluation, saved, system
from tests.export.checkpoints.nvidia import Nvidia, pickled
from tests.export.checkpoints.refusing import refusal


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_by_the_name_of_what_it_asks_for_and_nothing_ran(
    name: str, nvidia: Nvidia, canary: Path, tmp_path: Path
) -> None:
    named, make = HOSTILE[name]
    assert f"asks for {named} " in refusal(tmp_path, make(nvidia, canary), UnsafeFile)
    assert not canary.exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_the_same_file_runs_when_it_is_read_carelessly(name: str, nvidia: Nvidia, canary: Path) -> None:
    data = HOSTILE[name][1](nvidia, canary)
    with contextlib.suppress(Exception):
        carelessly(data)
    assert canary.exists()


def test_a_networks_source_text_is_not_run(nvidia: Nvidia, canary: Path, tmp_path: Path) -> None:
    path = tmp_path / "network.pkl"
    path.write_bytes(pickled(nvidia.generator()))
    read_checkpoint(path)
    assert not canary.exists()
    carelessly(path.read_bytes())
    assert canary.exists()


def test_a_name_is_refused_even_if_nothing_is_done_with_it(tmp_path: Path) -> None:
    assert "asks for nt.system " in refusal(tmp_path, b"\x80\x02cnt\nsystem\n0N.", UnsafeFile)


def test_a_refusal_is_one_line_whatever_the_name(tmp_path: Path) -> None:
    name = pickle.dumps("a\nb\x1b[31m\udc80" + "x" * 200, 4)[2:-1]
    assert "a\\nb" in refusal(tmp_path, b"\x80\x04" + name + name + b"\x93.", UnsafeFile)


def test_a_second_program_in_an_archive_is_no_way_past_the_first(canary: Path, tmp_path: Path) -> None:
    file = io.BytesIO(saved({"w": torch.zeros(2)}))
    program = zipfile.ZipFile(io.BytesIO(saved(system(canary)))).read("archive/data.pkl")
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("archive/DATA.PKL", program)
    assert "twice" in refusal(tmp_path, file.getvalue(), DamagedFile)
    assert not canary.exists()


def test_what_only_pytorchs_own_guard_finds_is_named_too(
    canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relatent_export.checkpoints.archives.unpickle", lambda *_, **__: None)
    named = refusal(tmp_path, saved({"x": evaluation(canary)}), UnsafeFile)
    assert named.startswith("asks for eval ")
    assert not canary.exists()


CHANGES = {
    "state": b"}X\x01\x00\x00\x00xK\x01sb.",
    "slots": b"N}X\x0c\x00\x00\x00__defaults__)s\x86b.",
    "item": b"X\x01\x00\x00\x00xK\x01s.",
    "append": b"K\x01a.",
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_name_stands_for_cannot_be_changed(change: str, tmp_path: Path) -> None:
    for name in BUILDERS:
        module, _, attribute = name.rpartition(".")
        asked = f"c{module}\n{attribute}\n".encode()
        refusal(tmp_path, b"\x80\x02" + asked + CHANGES[change], DamagedFile)
        assert not hasattr(BUILDERS[name], "x")
    path = tmp_path / "good.pt"
    torch.save(OrderedDict(w=torch.ones(2)), path)
    assert read_checkpoint(path)["w"].tolist() == [1, 1]


def test_a_call_of_what_was_read_is_refused(tmp_path: Path) -> None:
    for operations in (b"N)R.", b"N)\x81.", b"cnumpy\nndarray\n)R.", b"ccollections\nOrderedDict\nNR."):
        assert "calls something" in refusal(tmp_path, b"\x80\x02" + operations, DamagedFile)


def test_an_extension_code_is_refused(tmp_path: Path) -> None:
    assert "EXT1" in refusal(tmp_path, b"\x80\x02\x82\x01.", DamagedFile)


def test_a_network_in_tensorflow_is_refused_with_what_to_do(nvidia: Nvidia, tmp_path: Path) -> None:
    network = nvidia.tf_network()
    advice = refusal(tmp_path, pickle.dumps((network, network, network), 2), UnsupportedFile)
    assert "TensorFlow network (dnnlib.tflib.network.Network)" in advice
    assert "legacy.py" in advice
    assert "convert_weight.py" in advice


def test_a_whole_module_in_place_of_weights_is_refused_by_its_class(tmp_path: Path) -> None:
    assert "asks for torch.nn.modules.linear.Linear " in refusal(
        tmp_path, saved(torch.nn.Linear(1, 1)), UnsafeFile
    )


def test_bytes_made_in_another_encoding_are_refused(tmp_path: Path) -> None:
    data = pickle.dumps(Calls(codecs.encode, ("x", "punycode")), 2)
    assert "latin1" in refusal(tmp_path, data, DamagedFile)
