"""A small file does not become a large amount of data, and does not take for ever."""

from __future__ import annotations

import io
import itertools
import pickle
import re
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relatent_export.checkpoints import read_checkpoint, unpickler
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnsupportedFile
from tests.export.checkpoints.hostile import Calls, array, saved
from tests.export.checkpoints.refusing import refusal, taking_at_most

WRITERS: dict[str, Callable[[Any], bytes]] = {
    "pickle": pickle.dumps,
    "zip": saved,
    "before 1.6": lambda value: saved(value, zipped=False),
    "object array": array,
}


def laughs(levels: int, kind: Any) -> Any:
    """Ten times ten times ten ... of something, in a few hundred bytes."""
    value = kind(["ha"])
    for _ in range(levels):
        value = kind([value] * 10)
    return value


@pytest.mark.parametrize("kind", [list, tuple])
@pytest.mark.parametrize("writer", WRITERS)
def test_data_that_unfolds_without_end_is_refused_at_once(kind: Any, writer: str, tmp_path: Path) -> None:
    started = time.monotonic()
    assert "unfolds" in refusal(tmp_path, WRITERS[writer](laughs(30, kind)), DamagedFile)
    assert time.monotonic() - started < 5


def test_a_key_that_takes_for_ever_to_hash_is_not_hashed(tmp_path: Path) -> None:
    body = pickle.dumps(laughs(30, tuple), 2)[2:-1]
    for data in (b"}" + body + b"K\x01s.", b"cbuiltins\nset\n]" + body + b"a\x85R."):
        assert "of type tuple" in refusal(tmp_path, b"\x80\x02" + data, UnsupportedFile)


def test_data_nested_without_end_is_refused(tmp_path: Path) -> None:
    for nested in (b"]" * 50_000 + b"a" * 49_999, b")" + b"\x85" * 50_000):
        assert "nested" in refusal(tmp_path, b"\x80\x02" + nested + b".", DamagedFile)


def test_depth_is_counted_through_what_is_shared(tmp_path: Path) -> None:
    chains: list[Any] = []
    link: Any = "end"
    for _ in range(10):
        for _ in range(30):
            link = [link]
        chains.append(link)
    # The innermost first: none is deeper than 30 beyond what has been seen before it.
    assert "levels" in refusal(tmp_path, pickle.dumps(chains), DamagedFile)


def test_data_that_holds_itself_is_refused(tmp_path: Path) -> None:
    ring: list[Any] = []
    ring.append(ring)
    assert "holds itself" in refusal(tmp_path, pickle.dumps(ring), DamagedFile)


def test_a_pickle_of_countless_operations_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"\x80\x02" + b"]0" * 500 + b"N."
    (tmp_path / "file").write_bytes(data)
    assert read_checkpoint(tmp_path / "file") is None
    monkeypatch.setattr(unpickler, "MOST_OPERATIONS", 1000)
    assert "operations" in refusal(tmp_path, data, DamagedFile)


def test_a_number_of_countless_digits_is_refused(tmp_path: Path) -> None:
    assert "bits" in refusal(tmp_path, pickle.dumps({"n": 1 << 5000}, 2), UnsupportedFile)


HUGE = {
    "bytes in a pickle": b"\x80\x04\x8e" + struct.pack("<q", 1 << 40) + b"x.",
    "text in a pickle": b"\x80\x04\x8d" + struct.pack("<q", 1 << 40) + b"x.",
    "frame of a pickle": b"\x80\x04\x95" + struct.pack("<q", 1 << 40) + b"\x8e",
    "array in a pickle": b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R(K\x01J\xff\xff\xff\x7f\x85"
    b"cnumpy\ndtype\nU\x02f8\x85R\x89U\x00tb.",
    "array": b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }".ljust(118),
    "bytes by their number": b"\x80\x02cbuiltins\nbytes\nJ\xff\xff\xff\x7f\x85R.",
}


@pytest.mark.parametrize("what", HUGE)
def test_memory_is_not_taken_before_there_is_something_to_fill_it(what: str, tmp_path: Path) -> None:
    with taking_at_most(20_000_000):
        refusal(tmp_path, HUGE[what], DamagedFile)


def test_a_place_far_off_in_the_memo_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x80\x02Nr\xff\xff\xff\xff.")
    with taking_at_most(20_000_000):
        assert read_checkpoint(tmp_path / "file") is None


def strided(offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> Calls:
    """A tensor over eight numbers, as it is pickled."""
    storage = torch.arange(8.0)._typed_storage()
    return Calls(torch._utils._rebuild_tensor_v2, (storage, offset, size, stride, False, {}))


TOO_LARGE = {
    "too long": (0, (9,), (1,)),
    "beyond the end": (8, (1,), (1,)),
    "far beyond the end": (1 << 62, (1,), (1,)),
    "steps too wide": (0, (2, 2), (1, 7)),
    "huge steps": (0, (2,), (1 << 62,)),
    "backwards": (7, (2,), (-1,)),
    "before the beginning": (-1, (1,), (1,)),
    "a negative side": (0, (-1,), (1,)),
    "sizes that overflow": (0, (1 << 32, 1 << 32), (0, 0)),
    "none, with sizes that overflow": (0, (0, 1 << 62, 1 << 62), (1, 1, 1)),
    "repeated": (0, (1 << 40,), (0,)),
    "a stride too few": (0, (2, 2), (1,)),
    "as many axes as that": (0, (1,) * 40, (1,) * 40),
}


@pytest.mark.parametrize("writer", ["pickle", "zip", "before 1.6"])
@pytest.mark.parametrize("shape", TOO_LARGE)
@pytest.mark.filterwarnings("ignore:TypedStorage is deprecated")
def test_a_tensor_that_is_larger_than_its_storage_is_refused(shape: str, writer: str, tmp_path: Path) -> None:
    data = WRITERS[writer]({"w": strided(*TOO_LARGE[shape])})
    assert "tensor" in refusal(tmp_path, data, DamagedFile)


@pytest.mark.parametrize("writer", ["pickle", "zip", "before 1.6"])
def test_a_little_repetition_is_read(writer: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(WRITERS[writer]({"w": torch.arange(3.0).expand(4, 3)}))
    assert torch.equal(read_checkpoint(tmp_path / "file")["w"], torch.arange(3.0).expand(4, 3))


def test_many_tensors_of_the_same_numbers_are_counted_together(tmp_path: Path) -> None:
    numbers = torch.zeros(1 << 16)
    views = {f"w{i}": numbers[i:] for i in range(100)}
    assert "unfold" in refusal(tmp_path, saved(views), DamagedFile)


NPY = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
"""An empty array in a pickle."""


def repeated(first: bytes, many: bytes, count: int = 700) -> bytes:
    """A pickle that memorises something, and then has many of something else."""
    return b"\x80\x03" + first + b"q\x000](" + count * many + b"e."


def many_arrays() -> bytes:
    kind = b"cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R"
    array = NPY + b"(K\x01J" + struct.pack("<i", 1 << 15) + b"\x85" + kind + b"\x89h\x00tb"
    return repeated(b"B" + struct.pack("<I", 1 << 17) + bytes(1 << 17), array)


def many_storages() -> bytes:
    inner = saved(torch.zeros(1 << 15)._typed_storage(), zipped=False)
    # Not at its very beginning, where it would make the whole a file of that kind.
    kept = b"U" + bytes([40]) + b"-" * 40 + b"0B" + struct.pack("<I", len(inner)) + inner
    return repeated(kept, b"ctorch.storage\n_load_from_bytes\nh\x00\x85R")


def a_growing_path() -> bytes:
    doubled = b"cpathlib\nPurePosixPath\nh\x00h\x00\x86Rq\x00"
    return repeated(b"X\x04\x00\x00\x00abcd", doubled, 25)


def many_encoded() -> bytes:
    kept = b"X" + struct.pack("<I", 1 << 17) + b"a" * (1 << 17)
    return repeated(kept, b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R")


def many_mappings() -> bytes:
    pairs = b"](" + b"".join(b"J" + struct.pack("<i", i) + b"N\x86" for i in range(5_000)) + b"e"
    return repeated(pairs, b"ccollections\nOrderedDict\nh\x00\x85R")


def many_attributes() -> bytes:
    pairs = b"}(" + b"".join(b"J" + struct.pack("<i", i) + b"N" for i in range(5_000)) + b"u"
    return repeated(pairs, b"cargparse\nNamespace\n)Rh\x00b")


@pytest.mark.parametrize(
    "write",
    [many_arrays, many_storages, a_growing_path, many_encoded, many_mappings, many_attributes],
    ids=lambda write: write.__name__,
)
def test_what_is_memorised_once_is_counted_wherever_it_is_used(
    write: Callable[[], bytes], tmp_path: Path
) -> None:
    data = write()
    with taking_at_most(50_000_000):
        assert "of its size should" in refusal(tmp_path, data, DamagedFile)


def test_objects_of_an_archives_arrays_are_counted_together(tmp_path: Path) -> None:
    one = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (), }".ljust(118)
    kept = b"B" + struct.pack("<I", 1 << 10) + bytes(1 << 10)
    array = NPY + b"(K\x01M\x00\x01\x85cnumpy\ndtype\nX\x02\x00\x00\x00f4\x85R\x89h\x00tb"
    row = repeated(kept, array, 500).removesuffix(b".") + b"q\x010"
    holder = NPY + b"(K\x01)cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R\x89](h\x01etb."
    archive = zipped({f"{i}.npy": one + row + holder for i in range(4)}, zipfile.ZIP_DEFLATED)
    assert "unfold to" in refusal(tmp_path, archive, DamagedFile)


def test_an_old_file_may_not_ask_for_more_numbers_than_it_holds(tmp_path: Path) -> None:
    data = saved(torch.arange(8.0), zipped=False)
    asking, found = re.subn(rb"(cpuq.)K\x08N", lambda m: m[1] + b"J\xff\xff\xff\x7fN", data)
    assert found == 1
    assert "cut off" in refusal(tmp_path, asking, DamagedFile)
    fewer = data.replace(b"K\x08N", b"K\x07N")
    assert "28 are stored" in refusal(tmp_path, fewer, DamagedFile)
    negative = re.sub(rb"(cpuq.)K\x08N", lambda m: m[1] + b"J\xff\xff\xff\xffN", data)
    assert "impossible size" in refusal(tmp_path, negative, DamagedFile)
    # Without its key in the list of those whose numbers follow.
    unfilled, found = re.subn(rb"\x80\x02\]q.*?a\.", lambda _: b"\x80\x02].", data, flags=re.DOTALL)
    assert found == 1
    assert "not those" in refusal(tmp_path, unfilled, DamagedFile)


def test_a_storage_of_two_types_is_refused(tmp_path: Path) -> None:
    # Storages are known by their addresses: two whose numbers are as long.
    data = saved([torch.arange(8.0 + i) for i in range(6)], zipped=False)
    keys = sorted(set(re.findall(rb"\d{6,}", data)), key=len)
    first, second = next((a, b) for a, b in itertools.pairwise(keys) if len(a) == len(b))
    assert "two types" in refusal(tmp_path, data.replace(second, first), DamagedFile)


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


def test_a_zip_bomb_is_refused_before_it_unpacks(tmp_path: Path) -> None:
    bomb = zipped({"archive/data.pkl": bytes(100_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 200_000
    with taking_at_most(20_000_000):
        assert "would unpack to 100000000" in refusal(tmp_path, bomb, DamagedFile)


def lying(method: int, size: int) -> bytes:
    """An archive of one array, whose directory says that it unpacks to a thousand bytes."""
    data = bytearray(zipped({"a.npy": bytes(size)}, method))
    for size_at in (22, data.find(b"PK\1\2") + 24):
        data[size_at : size_at + 4] = struct.pack("<I", 1000)
    return bytes(data)


@pytest.mark.parametrize(
    ("method", "kind", "told"),
    [
        (zipfile.ZIP_DEFLATED, DamagedFile, "cut off or damaged"),
        (zipfile.ZIP_BZIP2, UnsupportedFile, "packed by another method than deflate"),
        (zipfile.ZIP_LZMA, UnsupportedFile, "packed by another method than deflate"),
    ],
)
def test_a_zip_bomb_that_lies_about_its_size_is_not_unpacked(
    method: int, kind: type[Refused], told: str, tmp_path: Path
) -> None:
    bomb = lying(method, 40_000_000)
    with taking_at_most(20_000_000):
        assert told in refusal(tmp_path, bomb, kind)


def test_an_archive_of_arrays_that_holds_one_twice_is_refused(tmp_path: Path) -> None:
    one = io.BytesIO()
    np.savez(one, a=np.zeros(3), b=np.ones(3))
    twice = one.getvalue().replace(b"b.npy", b"a.npy")
    assert "holds an entry twice" in refusal(tmp_path, twice, DamagedFile)


def test_an_archive_whose_entries_overlap_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data/0", bytes(10_000))
        for number in range(1, 20):
            again = zipfile.ZipInfo(f"archive/data/{number}")
            again.file_size = again.compress_size = 10_000
            again.header_offset = again.CRC = 0
            archive.filelist.append(again)
    assert "would unpack to 200000" in refusal(tmp_path, file.getvalue(), DamagedFile)


def test_an_archive_with_a_huge_directory_is_refused_before_it_is_read(tmp_path: Path) -> None:
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, 1 << 25, 0, 0)
    assert "directory of 33554432 bytes" in refusal(tmp_path, b"PK\3\4" + bytes(1000) + end, DamagedFile)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    entries = {"archive/data.pkl": np.random.default_rng(0).bytes(1000)}
    assert "compressed" in refusal(tmp_path, zipped(entries, zipfile.ZIP_DEFLATED), DamagedFile)


def test_an_archive_with_another_amount_of_numbers_is_refused(tmp_path: Path) -> None:
    archive = zipfile.ZipFile(io.BytesIO(saved({"w": torch.arange(8.0)})))
    entries = {name: archive.read(name) for name in archive.namelist()}
    short = zipped(entries | {"archive/data/0": bytes(28)})
    assert "storage 0: expected 32 bytes, found 28 bytes" in refusal(tmp_path, short, DamagedFile)
    del entries["archive/data/0"]
    assert "storage 0: expected 32 bytes, found nothing" in refusal(tmp_path, zipped(entries), DamagedFile)
