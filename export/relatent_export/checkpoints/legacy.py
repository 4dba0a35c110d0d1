"""Files of PyTorch before 1.6: five pickles one after the other, then the numbers.

    a magic number, a protocol version, what kind of machine wrote it, the object, the storages' keys,
    then for each key how many numbers (int64) and the numbers

So too are the tensors inside NVIDIA's pickles, each in bytes of its own. Everything is measured before
PyTorch reads it: it would take whatever memory the object asks for before it looks for the numbers.
"""

from __future__ import annotations

import io
import pickle
import re
import struct
from typing import IO, Any

import torch

from relatent_export.checkpoints.allowlist import FOR_TORCH, STORAGES, refusal
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.checkpoints.records import Global, Storage
from relatent_export.checkpoints.unpickler import unpickle
from relatent_export.checkpoints.wording import one_line

MAGIC = 0x1950A86A20F9469CFC6C
"""The first pickle's number, as PyTorch chose it."""

_MAGIC_BYTES = b"\x8a\x0a" + MAGIC.to_bytes(10, "little") + b"."
_VERSION = 1001


def is_legacy(head: bytes) -> bool:
    """Whether a file that starts with these bytes, 32 or more, is of this kind."""
    return head[:1] == pickle.PROTO and _MAGIC_BYTES in head[:32]


def read_legacy(file: IO[bytes]) -> Any:
    """Read such a file, by our own unpickler first and then by PyTorch.

    Returns:
        What `torch.load` makes of it, on the CPU, before `to_plain_data`.

    Raises:
        UnsafeFile, UnsupportedFile: see `unpickler.unpickle`.
        DamagedFile, or any other error: it is not as it should be.
    """
    check_legacy(file)
    file.seek(0)
    return load(file, mapped=False)


def load(file: Any, *, mapped: bool) -> Any:
    """`torch.load` of what our own unpickler has passed: weights only, to the CPU whatever it was saved from.

    Raises:
        UnsupportedFile: of a pickle protocol after 2, of which PyTorch reads but a part.
        UnsafeFile: PyTorch's own guard finds what ours did not.
        Exception: it is damaged in a way that ours does not see.
    """
    try:
        with torch.serialization.safe_globals(FOR_TORCH):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        found = re.search(r"Unsupported operand|GLOBAL (\S+)", str(error))
        if found is None:
            raise
        if found[1]:
            raise refusal(found[1]) from error
        raise UnsupportedFile("of a pickle protocol that is not torch.save's own; save it again") from error


def check_legacy(file: IO[bytes]) -> Any:
    """Read the pickles, and measure the numbers against them.

    Returns:
        The object, of records.
    """
    if unpickle(file) != MAGIC or unpickle(file) != _VERSION:
        raise DamagedFile("not a PyTorch file, though it begins like one")
    written_by = unpickle(file)
    if type(written_by) is not dict or written_by.get("little_endian") is not True:
        raise UnsupportedFile("written on a machine of the other byte order")
    storages: dict[str, Storage] = {}

    def stored(identity: Any) -> Storage:
        storage = storage_of(identity, 6, storages)[1]
        if storage.untyped:
            raise UnsupportedFile(
                "a tensor of a type that PyTorch itself cannot read from a file of this kind"
            )
        return storage

    data, keys = unpickle(file, stored=stored), unpickle(file)
    if type(keys) is not list or set(keys) != storages.keys() or len(keys) != len(storages):
        raise DamagedFile("the numbers stored are not those that its tensors are of")
    start, end = file.tell(), file.seek(0, io.SEEK_END)
    for key in keys:
        file.seek(start)
        (count,) = struct.unpack("<q", file.read(8))
        start += 8 + storages[key].nbytes
        if count != storages[key].count or start > end:
            raise DamagedFile(
                f"cut off: storage {one_line(key)} of {storages[key].nbytes} bytes "
                f"ends at byte {start} of {end}"
            )
    return data


def storage_of(identity: Any, length: int, seen: dict[str, Storage]) -> tuple[str, Storage]:
    """A storage and its key, by its persistent id: both kinds of file have them alike.

    Args:
        identity: the id.
        length: how many parts it should have.
        seen: storages by key, to be added to.

    Raises:
        DamagedFile: it is not a storage's, or the storage was seen with another type or size.
    """
    if type(identity) is not tuple or len(identity) != length or identity[0] != "storage":
        raise DamagedFile("a tensor of something that is not a storage")
    kind, key, _, count, *view = identity[1:]
    if not isinstance(kind, Global) or kind.name not in STORAGES or type(key) is not str or any(view):
        raise DamagedFile("a tensor of a storage that is not supported")
    if type(count) is not int or not 0 <= count < 1 << 56:
        raise DamagedFile(f"storage {one_line(key)} of an impossible size")
    untyped = kind.name.endswith("UntypedStorage")
    storage = seen.setdefault(key, Storage(STORAGES[kind.name], count, untyped))
    if (storage.dtype, storage.count) != (STORAGES[kind.name], count):
        # PyTorch goes by the type it sees first, whatever fits the second.
        raise DamagedFile(f"storage {one_line(key)} comes in two types or sizes")
    return key, storage


class StoredBytes(Storage):
    """A storage inside a pickle, as bytes that are such a file of their own.

    PyTorch would read them by `torch.load` without weights only, whatever the outer file is read by.

    Raises:
        Refused: on making, the bytes ask for anything but a storage.
    """

    def __init__(self, data: Any) -> None:
        if type(data) is not bytes or not is_legacy(data[:32]):
            raise DamagedFile("a tensor whose bytes are not PyTorch's")
        storage = check_legacy(io.BytesIO(data))
        if not isinstance(storage, Storage):
            raise DamagedFile("a tensor whose bytes hold something else than numbers")
        super().__init__(storage.dtype, storage.count)
        self._data = data
        self._loaded: torch.UntypedStorage | None = None

    def load(self) -> torch.UntypedStorage:
        """The numbers, read when they are first asked for."""
        if self._loaded is None:
            loaded = load(io.BytesIO(self._data), mapped=False)
            self._loaded = loaded if isinstance(loaded, torch.UntypedStorage) else loaded.untyped()
            # A checkpoint's worth of bytes should not be kept twice.
            self._data = b""
        return self._loaded
