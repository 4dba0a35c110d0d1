"""NumPy's files."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relatent_export.checkpoints import read_array, read_checkpoint
from relatent_export.checkpoints.errors import DamagedFile, UnknownFile, UnsafeFile, UnsupportedFile
from tests.export.checkpoints import hostile
from tests.export.checkpoints.refusing import refusal


def npy(value: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asanyarray(value), version)
    return file.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("kind", ["<f8", ">f4", "<f2", "<i8", "|u1", "|b1", "<c8"])
def test_an_array_of_numbers_is_read_as_it_was_written(
    kind: str, version: tuple[int, int], tmp_path: Path
) -> None:
    written = np.arange(24).reshape(2, 3, 4).astype(kind)
    path = tmp_path / "direction"
    for array in (written, np.asfortranarray(written), written[:, :0], written[0, 0, 0]):
        path.write_bytes(npy(array, version))
        got = read_array(path)
        assert got.dtype.isnative
        assert got.dtype == array.dtype.newbyteorder("=")
        np.testing.assert_array_equal(got, array)
        np.testing.assert_array_equal(read_checkpoint(path), got)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_an_object_array_gives_what_it_holds(protocol: int, tmp_path: Path) -> None:
    boundary = np.random.default_rng(0).normal(size=(1, 14, 8)).astype(np.float32)
    holder = np.empty((), dtype=object)
    holder[()] = {"boundary": boundary, "meta_data": {"manipulate_layers": list(range(4))}}
    data = npy(holder)
    pickled = data.index(b"\n") + 1
    path = tmp_path / "age.npy"
    path.write_bytes(data[:pickled] + pickle.dumps(holder, protocol))
    got = read_array(path)
    np.testing.assert_array_equal(got["boundary"], boundary)
    assert got["boundary"].dtype == np.float32
    assert got["meta_data"] == {"manipulate_layers": [0, 1, 2, 3]}


def test_an_object_array_of_python_2_is_read_in_latin1(tmp_path: Path) -> None:
    """Its pickles hold bytes where today's hold text: keys, type codes, and the numbers themselves."""
    numbers = np.array([1.5, -2.0], np.float32)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01K\x02\x85cnumpy\ndtype\n(U\x02f4K\x00K\x01tR(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x08" + numbers.tobytes() + b"tb"
    )
    holder = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
        b"(K\x01)cnumpy\ndtype\n(U\x02O8K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
        b"\x89](}U\x08boundary" + array + b"setb."
    )
    header = npy(np.empty((), dtype=object))
    path = tmp_path / "age.npy"
    path.write_bytes(header[: header.index(b"\n") + 1] + b"\x80\x02" + holder)
    np.testing.assert_array_equal(read_array(path)["boundary"], numbers)


def test_a_row_of_objects_becomes_a_list(tmp_path: Path) -> None:
    row = np.empty(2, dtype=object)
    row[:] = ["a", [1, 2]]
    path = tmp_path / "row.npy"
    path.write_bytes(npy(row))
    assert read_array(path) == ["a", [1, 2]]
    table = np.empty((2, 2), dtype=object)
    assert "one or a list" in refusal(tmp_path, npy(table), UnsupportedFile)


def test_an_object_array_that_runs_code_is_refused(canary: Path, tmp_path: Path) -> None:
    path = tmp_path / "hostile.npy"
    path.write_bytes(hostile.array({"boundary": hostile.system(canary)}))
    with pytest.raises(UnsafeFile, match=f"asks for {hostile.SYSTEM} "):
        read_array(path)
    assert not canary.exists()


def test_a_size_other_than_the_headers_is_refused(tmp_path: Path) -> None:
    data = npy(np.arange(4.0))
    assert "[4] of float64 are 32 bytes, and 24 follow" in refusal(tmp_path, data[:-8], DamagedFile)
    assert "33 follow" in refusal(tmp_path, data + b"x", DamagedFile)
    for shape in (b"(5,)", b"(-4,)", b"(4, 0)", b"(2, -2)", b"(99999999999999999999,)"):
        changed = data.replace(b"(4,), }" + b" " * len(shape), shape + b", }" + b" " * 4)
        assert len(changed) == len(data)
        assert "follow its header" in refusal(tmp_path, changed, DamagedFile)


@pytest.mark.parametrize("header", [b"{'descr': '<f8'}", b"[1]", b"((((", b"__import__('os')", b"-" * 5000])
def test_a_header_that_is_none_is_refused(header: bytes, tmp_path: Path) -> None:
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    refusal(tmp_path, data, DamagedFile)


def test_arrays_of_records_and_text_are_refused(tmp_path: Path) -> None:
    assert "expected one of numbers" in refusal(tmp_path, npy(np.array(["a"])), UnsupportedFile)
    assert "expected one of numbers" in refusal(tmp_path, npy(np.zeros(2, "f4,f4")), UnsupportedFile)
    text = pickle.dumps({"names": np.array(["a", "b"])})
    assert "'U1', expected one of numbers" in refusal(tmp_path, text, UnsupportedFile)
    assert "version 3.0" in refusal(tmp_path, npy(np.zeros(2), (3, 0)), UnsupportedFile)


def test_an_array_in_a_pickle_must_have_the_size_of_its_numbers(tmp_path: Path) -> None:
    data = pickle.dumps(np.arange(4.0), 3)
    for shape in (b"K\x05\x85", b"K\x00\x85", b"J\xff\xff\xff\xff\x85"):
        assert "array" in refusal(tmp_path, data.replace(b"K\x04\x85", shape), DamagedFile)
    bare = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R."
    assert "without content" in refusal(tmp_path, bare, DamagedFile)


def test_what_is_no_array_is_refused_where_one_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "age.npy"
    path.write_bytes(hostile.saved({}))
    with pytest.raises(UnknownFile, match="expected a NumPy array"):
        read_array(path)
