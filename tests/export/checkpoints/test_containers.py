"""Every container gives the same plain data."""

from __future__ import annotations

import io
import os
import pickle
import socket
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from relatent_export.checkpoints import read_array, read_checkpoint
from relatent_export.checkpoints.errors import DamagedFile, UnknownFile, UnsupportedFile
from tests.export.checkpoints.containers import CONTAINERS, checkpoint
from tests.export.checkpoints.hostile import saved
from tests.export.checkpoints.nvidia import Nvidia
from tests.export.checkpoints.refusing import refusal, resident, taking_at_most

EVERYTHING = [name for name in CONTAINERS if name.startswith(("zip", "before", "pickle"))]


def read(tmp_path: Path, data: bytes) -> Any:
    path = tmp_path / "file"
    path.write_bytes(data)
    return read_checkpoint(path)


@pytest.mark.parametrize("container", EVERYTHING)
def test_everything_in_a_checkpoint_becomes_plain_data(
    container: str, nvidia: Nvidia, tmp_path: Path
) -> None:
    got, saved_as = read(tmp_path, CONTAINERS[container](nvidia)), checkpoint()
    for name in ("parameter", "half", "bfloat16", "long", "bool", "empty", "transposed", "tail"):
        tensor = got.pop(name)
        assert type(tensor) is Tensor
        assert not tensor.requires_grad
        assert tensor.dtype == saved_as[name].dtype
        assert torch.equal(tensor, saved_as[name])
    weights = got.pop("g_ema")
    assert type(weights) is dict
    assert torch.equal(weights["weight"], saved_as["g_ema"]["weight"])
    assert torch.equal(weights["bias"], saved_as["g_ema"]["bias"])
    assert type(got["opts"]) is dict
    row = got.pop("row")
    assert row.dtype == np.int16
    np.testing.assert_array_equal(row, saved_as["row"])
    assert got == {
        "args": {"size": 8, "nested": {"path": None}},
        "opts": {"lr": 0.1, "sizes": (1, 2), "names": ["ä", b"\xff\0", b""], "on": True, "off": False},
        "loss": 0.25,
        "where": "/a/b",
        "kept": frozenset({1, 2}),
        "shape": (2, 3),
        "dtype": "torch.float16",
        "device": "cuda:1",
        "states": {0: {"step": 3}, 1: None},
    }
    assert type(got["loss"]) is float


def test_a_file_may_be_one_tensor(tmp_path: Path) -> None:
    for zipped in (True, False):
        assert torch.equal(read(tmp_path, saved(torch.ones(1, 4), zipped)), torch.ones(1, 4))
    assert torch.equal(read(tmp_path, pickle.dumps(torch.ones(1, 4), 3)), torch.ones(1, 4))


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_saved_on_a_gpu_are_read_on_a_machine_without_one(
    zipped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.serialization.location_tag", lambda storage: "cuda:0")
    data = saved({"pose": torch.ones(1, 3, 4)}, zipped)
    assert b"cuda:0" in data
    pose = read(tmp_path, data)["pose"]
    assert pose.device.type == "cpu"
    assert torch.equal(pose, torch.ones(1, 3, 4))


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_that_share_numbers_still_do(zipped: bool, tmp_path: Path) -> None:
    whole = torch.arange(8.0)
    got = read(tmp_path, saved({"whole": whole, "end": whole[6:], "again": whole}, zipped))
    got["whole"][7] = -1
    assert got["end"].tolist() == [6, -1]
    assert got["again"] is got["whole"]


def test_a_zip_file_is_mapped_and_outlives_its_name(tmp_path: Path) -> None:
    size = 1 << 26
    path = tmp_path / "large.pt"
    torch.save({"w": torch.ones(size // 4), "small": torch.ones(2)}, path)
    before = resident("RssAnon")
    with taking_at_most(size // 4):
        got = read_checkpoint(path)
    assert resident("RssAnon") - before < size // 4
    path.unlink()
    assert float(got["w"].sum()) == size // 4
    got["small"] += 1
    assert got["small"].tolist() == [2, 2]


@pytest.mark.parametrize(("protocol", "times"), [(2, 2.0), (3, 1.5), (4, 1.5)])
def test_a_pickle_of_tensors_takes_little_more_memory_than_its_size(
    protocol: int, times: float, tmp_path: Path
) -> None:
    tensors = {f"w{number}": torch.ones(1 << 20) for number in range(16)}
    path = tmp_path / "network.pkl"
    path.write_bytes(pickle.dumps(tensors, protocol))
    size = path.stat().st_size
    del tensors
    with taking_at_most(int(times * size)):
        read_checkpoint(path)


def test_a_file_that_is_only_readable_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({"w": torch.ones(4)}, path)
    path.chmod(0o444)
    data = path.read_bytes()
    read_checkpoint(path)["w"].zero_()
    assert path.read_bytes() == data


def test_a_zip_file_packed_again_by_another_program_is_read(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(saved({"w": torch.arange(9.0), "v": torch.arange(5.0)})))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as again:
        for number, name in enumerate(archive.namelist()):
            again.writestr(name, archive.read(name))
            again.writestr(f"archive/extra/{'x' * number}", b"odd")
    got = read(tmp_path, packed.getvalue())
    assert got["w"].tolist() == list(range(9))
    for tensor in got.values():
        assert tensor.data_ptr() % 4 == 0


def test_what_pytorch_reads_but_in_part_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = io.BytesIO()
    torch.save({"w": torch.ones(2)}, file, pickle_protocol=4)
    assert "save it again" in refusal(tmp_path, file.getvalue(), UnsupportedFile)


class Doubled(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


def test_a_program_of_pytorchs_is_called_so_with_the_cure(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its deprecation; files of it stay
        torch.jit.trace(Doubled(), torch.zeros(1)).save(tmp_path / "scripted.pt")
    told = refusal(tmp_path, (tmp_path / "scripted.pt").read_bytes(), UnsupportedFile)
    assert told.startswith("a TorchScript program, and no program is run; ")
    assert "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt')" in told
    torch.export.save(torch.export.export(Doubled(), (torch.zeros(2),)), tmp_path / "exported.pt2")
    told = refusal(tmp_path, (tmp_path / "exported.pt2").read_bytes(), UnsupportedFile)
    assert "torch.save(torch.export.load(FILE).state_dict, 'weights.pt')" in told


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_an_archive_of_arrays_is_read_by_name(tmp_path: Path, write: Any) -> None:
    file = io.BytesIO()
    arrays = {
        "comp": np.arange(6.0).reshape(2, 3),
        "std": np.ones(2, np.float32),
        "turned": np.eye(3)[::-1].T,
    }
    write(file, **arrays)
    got = read(tmp_path, file.getvalue())
    assert got.keys() == arrays.keys()
    for name, array in arrays.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array)


def test_an_archive_of_arrays_does_not_swell(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    np.savez_compressed(bomb, a=np.zeros(1 << 22))
    assert "would unpack to" in refusal(tmp_path, bomb.getvalue(), DamagedFile)


def test_safetensors_are_read_by_name_and_mapped(tmp_path: Path) -> None:
    path, size = tmp_path / "weights.bin", 1 << 26
    save_file({"w": torch.ones(size // 4), "half": torch.ones(2).half()}, path)
    before = resident("RssAnon")
    got = read_checkpoint(path)
    assert resident("RssAnon") - before < size // 4
    path.unlink()
    assert float(got["w"].sum()) == size // 4
    assert got["half"].dtype == torch.float16


def test_damaged_safetensors_are_told_as_such(tmp_path: Path) -> None:
    save_file({"w": torch.ones(64)}, tmp_path / "weights")
    data = (tmp_path / "weights").read_bytes()
    for damaged in (data[:-1], data[:40], data[:9] + b"}" * 30 + data[39:]):
        assert "cut off or damaged" in refusal(tmp_path, damaged, DamagedFile)


def test_what_is_no_file_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.pt")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket.pt"))
        for path, what in (
            (tmp_path / "pipe.pt", "a named pipe"),
            (tmp_path / "socket.pt", "a socket"),
            (Path("/dev/zero"), "a character device"),
        ):
            for reader in (read_checkpoint, read_array):
                with pytest.raises(UnsupportedFile) as caught:
                    reader(path)
                expected = f"{path}: {what}, expected a file; write what comes out of it to one first"
                assert str(caught.value) == expected


def test_other_zip_files_are_told_apart(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("weights.pt", saved({}))
    assert "unpack it first" in refusal(tmp_path, packed.getvalue(), UnknownFile)


def test_a_zip_file_called_safetensors_is_not_handed_to_another_reader(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    torch.save({}, path)
    with pytest.raises(UnsupportedFile, match=r"rename it to \.pt"):
        read_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_sparse_tensors_and_bare_storages_are_refused(zipped: bool, tmp_path: Path) -> None:
    sparse = refusal(tmp_path, saved({"w": torch.ones(2).to_sparse()}, zipped))
    assert "torch._utils._rebuild_sparse_tensor" in sparse
    assert "by itself" in refusal(tmp_path, saved({"w": torch.ones(2).untyped_storage()}), UnsupportedFile)


def test_a_type_that_old_files_cannot_hold_is_read_from_a_new_one(tmp_path: Path) -> None:
    value = {"w": torch.tensor([1, 2], dtype=torch.uint16)}
    assert read(tmp_path, saved(value))["w"].dtype == torch.uint16
    assert "PyTorch itself" in refusal(tmp_path, saved(value, zipped=False), UnsupportedFile)


def test_a_file_of_the_other_byte_order_is_refused(tmp_path: Path) -> None:
    data = saved({"w": torch.ones(2)}, zipped=False)
    at = data.index(b"little_endian")
    swapped = data[:at] + data[at:].replace(b"\x88", b"\x89", 1)
    assert "byte order" in refusal(tmp_path, swapped, UnsupportedFile)


FOREIGN = {
    "a page": (b"<!DOCTYPE html><html>Sign in</html>", UnknownFile, "a text file, perhaps a download page"),
    "words": ("größer ".encode() * 100, UnknownFile, "a text file"),
    "words cut in a letter": (b"a" + "ß".encode() * 400, UnknownFile, "a text file"),
    "a pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", UnknownFile, "git lfs pull"),
    "an old pickle": (b"cos\nsystem\n(S'true'\ntR.", UnknownFile, "a text file"),
    "nothing": (b"", DamagedFile, "empty"),
    "noise": (b"\xff\xfe\x01\x02" * 9, UnknownFile, "it begins with"),
    "gzip": (b"\x1f\x8b\x08\x00rest", UnsupportedFile, "gzip"),
    "hdf5": (b"\x89HDF\r\n\x1a\n", UnsupportedFile, "HDF5"),
    "tar": (b"storages".ljust(257, b"\0") + b"ustar\0", UnsupportedFile, "tar archive"),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_file_that_is_no_checkpoint_is_told_what_it_is(what: str, tmp_path: Path) -> None:
    data, kind, words = FOREIGN[what]
    assert words in refusal(tmp_path, data, kind)


def test_a_file_that_cannot_be_opened_is_the_systems_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "none.pt")
    with pytest.raises(IsADirectoryError):
        read_checkpoint(tmp_path)
