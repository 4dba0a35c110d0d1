"""Zip archives: files of PyTorch since 1.6, nothing in them compressed, and NumPy's `.npz`.

    NAME/data.pkl   the object, whose tensors refer to storages by key
    NAME/data/KEY   the numbers of each storage

    NAME.npy        an array, compressed or not

PyTorch's tensors are not copied: they are views of the file, mapped into memory, and stay valid when it is
deleted. A file that is cut short while it is in use ends the process.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import IO, Any

from relatent_export.checkpoints import arrays
from relatent_export.checkpoints.errors import DamagedFile, UnknownFile, UnsupportedFile
from relatent_export.checkpoints.legacy import load, storage_of
from relatent_export.checkpoints.records import Storage
from relatent_export.checkpoints.unpickler import unpickle
from relatent_export.checkpoints.wording import one_line

MAGIC = b"PK\x03\x04"

_MOST_DIRECTORY = 1 << 24
"""Bytes of the archive's directory, at about a hundred an entry."""

_MOST_SHRUNK, _LITTLE = 4, 1 << 20
"""An `.npz` may unpack to so many times its size, or to so many bytes."""

_END, _END_64, _LOCATOR = struct.Struct("<4s8xI6x"), struct.Struct("<4s36xQ8x"), struct.Struct("<4s16x")


def read_archive(path: Path, file: IO[bytes]) -> Any:
    """Read such a file, by our own unpickler first and then by PyTorch.

    Args:
        path: of the file, for PyTorch to map it.
        file: the file, open.

    Returns:
        What `torch.load` makes of it, on the CPU, before `to_plain_data`; of an `.npz` its arrays by name.

    Raises:
        UnsafeFile, UnsupportedFile: see `unpickler.unpickle`; a program of PyTorch's.
        UnknownFile: an archive of something else.
        DamagedFile, or any other error: it is not as it should be, such as one that would unpack to more than
            it holds.
    """
    if path.suffix == ".safetensors":
        raise UnsupportedFile("a file of PyTorch's in spite of its name; rename it to .pt")
    directory = _directory(file)
    _refuse_programs(directory)
    if directory and all(entry.filename.endswith(".npy") for entry in directory):
        return _arrays(file, directory)
    entries = _checked(file, directory)
    prefix = next(iter(entries)).split("/")[0]
    names = {name.removeprefix(f"{prefix}/"): entry for name, entry in entries.items()}
    if "data.pkl" not in names:
        raise UnknownFile(
            "a zip archive, but not one of PyTorch's; if checkpoints are in it, unpack it first"
        )

    storages: dict[str, Storage] = {}

    def stored(identity: Any) -> Storage:
        key, storage = storage_of(identity, 5, storages)
        entry = names.get(f"data/{key}")
        if entry is None or entry.file_size != storage.nbytes:
            found = "nothing" if entry is None else f"{entry.file_size} bytes"
            raise DamagedFile(f"storage {one_line(key)}: expected {storage.nbytes} bytes, found {found}")
        return storage

    unpickle(io.BytesIO(_content(file, names["data.pkl"])), stored=stored)
    return load(path, mapped=True)


def _directory(file: IO[bytes]) -> list[zipfile.ZipInfo]:
    """What the archive says is in it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - _END_64.size - _LOCATOR.size - _END.size, 0))
    tail = file.read()
    if not tail[-_END.size :].startswith(b"PK\x05\x06"):
        raise DamagedFile("cut off: a zip archive without its directory, which is at the end")
    _, directory = _END.unpack(tail[-_END.size :])
    if len(tail) == _END_64.size + _LOCATOR.size + _END.size and tail[_END_64.size :][:4] == b"PK\x06\x07":
        directory = max(directory, _END_64.unpack(tail[: _END_64.size])[1])
    if directory > _MOST_DIRECTORY:
        raise DamagedFile(f"a zip archive with a directory of {directory} bytes")
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        return archive.infolist()


def _refuse_programs(directory: list[zipfile.ZipInfo]) -> None:
    """Archives of PyTorch's that hold a program, whose tensors come out by running it."""
    names = {entry.filename.partition("/")[2] for entry in directory}
    if "constants.pkl" in names or any(name.startswith("code/__torch__") for name in names):
        raise UnsupportedFile(
            "a TorchScript program, and no program is run; where you trust it, save its tensors with "
            "torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt') and import those"
        )
    if "models/model.json" in names and "archive_format" in names:
        raise UnsupportedFile(
            "a program of torch.export (.pt2), and no program is run; where you trust it, save its tensors "
            "with torch.save(torch.export.load(FILE).state_dict, 'weights.pt') and import those"
        )


def _arrays(file: IO[bytes], directory: list[zipfile.ZipInfo]) -> dict[str, Any]:
    """NumPy's arrays by name. Floating-point numbers hardly shrink, so that none unpacks to much more.

    What the directory says may be a lie. Only deflate can be asked for so many bytes and no more: of the
    others Python unpacks whatever there is before it cuts.
    """
    size, total = file.seek(0, io.SEEK_END), sum(entry.file_size for entry in directory)
    if total > max(_MOST_SHRUNK * size, _LITTLE):
        raise DamagedFile(f"a NumPy archive of {size} bytes that would unpack to {total}")
    if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in directory):
        raise UnsupportedFile(
            "a NumPy archive packed by another method than deflate, which NumPy's is; save it again with "
            "numpy.savez_compressed"
        )
    if len({entry.filename for entry in directory}) != len(directory):
        raise DamagedFile("a NumPy archive that holds an entry twice")
    found = {}
    with zipfile.ZipFile(file) as archive:
        for entry in directory:
            with archive.open(entry) as packed:
                content = packed.read(entry.file_size + 1)
            found[entry.filename.removesuffix(".npy")] = arrays.content_of(io.BytesIO(content))
    return found


def _checked(file: IO[bytes], directory: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """The entries by name: none is compressed, none is there twice, all fit into the file."""
    size, total = file.seek(0, io.SEEK_END), sum(entry.file_size for entry in directory)
    if total > size:
        raise DamagedFile(
            f"a zip archive of {size} bytes that would unpack to {total}, and PyTorch compresses nothing"
        )
    if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in directory):
        raise DamagedFile("a zip archive with compressed or encrypted entries, and PyTorch writes none")
    # PyTorch finds an entry whatever the case of its letters.
    if not directory or len({entry.filename.lower() for entry in directory}) != len(directory):
        raise DamagedFile("a zip archive that is empty or holds an entry twice")
    return {entry.filename: entry for entry in directory}


def _content(file: IO[bytes], entry: zipfile.ZipInfo) -> bytes:
    """An entry's bytes, without the checksum, which PyTorch may be told to leave out."""
    file.seek(entry.header_offset)
    magic, name, extra = struct.unpack("<4s22xHH", file.read(30))
    file.seek(name + extra, io.SEEK_CUR)
    content = file.read(entry.file_size)
    if magic != MAGIC or len(content) != entry.file_size:
        raise DamagedFile(f"{one_line(entry.filename)} is not where the archive's directory says")
    return content
