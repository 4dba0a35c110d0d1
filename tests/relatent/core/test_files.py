"""Files are read without waiting, and written whole or not at all."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from relatent.core.files import NotAFileError, read_file, read_head, write_file


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))


@pytest.mark.parametrize(
    ("make", "name"), [(Path.mkdir, "a folder"), (make_pipe, "a named pipe"), (make_socket, "a socket")]
)
def test_what_is_no_file_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any, name: str
) -> None:
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    make(path := Path("a.png"))
    for reach in (lambda: read_file(path, 10), lambda: read_head(path, 10), lambda: write_file(path, b"x")):
        with pytest.raises(NotAFileError, match=f"expected a file, got {name}"):
            reach()


def test_a_device_is_never_opened() -> None:
    with pytest.raises(NotAFileError, match="expected a file, got a device"):
        read_file(Path("/dev/zero"), 10)


def test_a_file_larger_than_it_may_be_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(OSError, match="expected at most 10 bytes, got 1,099,511,627,776"):
        read_file(path, 10)


def test_a_name_that_no_file_can_have_is_an_error_of_files() -> None:
    with pytest.raises(OSError, match="not a file's name"):
        read_file(Path("a\0b"), 10)


def test_a_file_is_written_over_another_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a")
    for data in (b"first", b"second"):
        write_file(tmp_path / "link", data)
        assert (tmp_path / "a").read_bytes() == data
    assert (tmp_path / "link").is_symlink()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("rights", [0o600, 0o640, 0o444])
def test_a_file_that_is_written_over_keeps_its_rights(tmp_path: Path, rights: int) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"first")
    path.chmod(rights)
    write_file(path, b"second")
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (b"second", rights)


@pytest.mark.parametrize(
    ("kept_from", "number"),
    [("replace", errno.EBUSY), ("replace", errno.EPERM), ("open", errno.EACCES), ("open", errno.EROFS)],
)
def test_a_file_that_cannot_be_replaced_but_written_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept_from: str, number: int
) -> None:
    """As of one mounted by itself, and one in a folder that nothing may be added to."""
    path = tmp_path / "a"
    path.write_bytes(b"the first, which is longer")
    does = getattr(Path, kept_from)

    def cannot(self: Path, *words: Any, **options: Any) -> Any:
        if self.suffix == ".partial":
            raise OSError(number, os.strerror(number), str(self))
        return does(self, *words, **options)

    monkeypatch.setattr(Path, kept_from, cannot)
    write_file(path, b"second")
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        write_file(tmp_path / "new", b"second")
    monkeypatch.undo()
    assert caught.value.filename == str(tmp_path / "new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"second"]


class FullDisk:
    """A file on a disk with room for one byte more."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)

    def write(self, data: bytes) -> None:
        self._file.write(data[:1])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def test_on_a_full_disk_the_former_file_stays_and_no_part_of_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    opens = Path.open

    def full(self: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        if mode != "xb" or options:
            return opens(self, mode, *more, **options)
        return FullDisk(self)

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        write_file(path, b"after")
    monkeypatch.undo()
    assert caught.value.filename == str(path)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"before"]
