"""Any file of weights or directions, recognised by its first bytes."""

from __future__ import annotations

import codecs
import pickle
from pathlib import Path
from typing import IO, Any

from relatent_export.checkpoints import archives, arrays, legacy, safetensors
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile, UnsupportedFile
from relatent_export.checkpoints.plain_data import to_plain_data
from relatent_export.checkpoints.unpickler import unpickle
from relatent_export.checkpoints.wording import check_regular, with_path

_HEAD = 512

_OTHERS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file, as Keras writes; only PyTorch's and NumPy's files are read",
    b"\x1f\x8b": "compressed by gzip; unpack it first",
    b"BZh": "compressed by bzip2; unpack it first",
    b"\xfd7zXZ\x00": "compressed by xz; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it first",
    b"Rar!\x1a\x07": "a RAR archive; unpack it first",
}
"""By their beginnings, files of other programs that are taken for checkpoints."""

_TAR, _TAR_AT = b"ustar", 257

_LFS = b"version https://git-lfs.github.com/spec/"


def read_checkpoint(path: Path) -> Any:
    """Read a file of weights or directions without running anything that it holds.

    PyTorch's files, old and new, safetensors, NVIDIA's pickles, NumPy's arrays and archives of them, told
    apart by their first bytes, whatever they are called.

    Returns:
        Plain data: dict with keys str or int, list, tuple, frozenset, str, bytes, int, float, bool, None,
        tensors (CPU, no gradient; of PyTorch's zip files and of safetensors they are views of the file mapped
        into memory, to be copied before they are changed), NumPy arrays, `PersistentObject`.

    Raises:
        UnsafeFile: it asks to run code; the message names what.
        DamagedFile: it is cut off, or does not hold what its beginning promises.
        UnknownFile: it is not a checkpoint at all.
        UnsupportedFile: it is recognised, and of a kind that cannot be read; says why.
        OSError: it cannot be opened.
    """
    check_regular(path)
    with path.open("rb") as file, with_path(path):
        head = file.read(_HEAD)
        file.seek(0)
        if head.startswith(arrays.MAGIC):
            return arrays.array_of(file)
        size = path.stat().st_size
        if head.startswith(archives.MAGIC):
            return to_plain_data(archives.read_archive(path, file), size)
        if safetensors.is_safetensors(head):
            return to_plain_data(safetensors.read_safetensors(path), size)
        if legacy.is_legacy(head):
            return to_plain_data(legacy.read_legacy(file), size)
        if head.startswith(pickle.PROTO):
            return to_plain_data(_read_pickle(file), size)
        raise _foreign(head)


def _read_pickle(file: IO[bytes]) -> Any:
    """A pickle by itself. Tensors in it are bytes, which PyTorch would unpickle in turn."""
    return unpickle(file, builders={"torch.storage._load_from_bytes": legacy.StoredBytes})


def _foreign(head: bytes) -> Refused:
    """What to say of a file that is not one of those that are read."""
    if not head:
        return DamagedFile("empty")
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            return UnsupportedFile(what)
    if head[_TAR_AT:].startswith(_TAR):
        return UnsupportedFile("a tar archive; unpack it first, or load and save it with a newer PyTorch")
    if head.startswith(_LFS):
        return UnknownFile("a pointer of Git LFS in place of the file itself; fetch it with git lfs pull")
    if _is_text(head):
        return UnknownFile("a text file, perhaps a download page saved in place of the file")
    return UnknownFile(f"not a checkpoint: it begins with {head[:8]!r}")


def _is_text(head: bytes) -> bool:
    try:
        # Not to its end, where a character may be cut in two.
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\n\r\f\ufeff" for character in text)
