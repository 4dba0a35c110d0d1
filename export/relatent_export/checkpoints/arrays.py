"""NumPy's `.npy`: a header of shape and type, then the numbers or, for objects, a pickle."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from relatent_export.checkpoints.errors import DamagedFile, UnknownFile, UnsupportedFile
from relatent_export.checkpoints.plain_data import to_plain_data
from relatent_export.checkpoints.records import Array
from relatent_export.checkpoints.unpickler import unpickle
from relatent_export.checkpoints.wording import check_regular, one_line, with_path

_npy: Any = npy
"""It has no types."""

MAGIC = npy.MAGIC_PREFIX
"""What such a file begins with."""


def read_array(path: Path) -> Any:
    """Read an `.npy` file, recognised by its beginning.

    Returns:
        The array, in this machine's byte order; of an object array what it holds, as plain data: the object
        itself if it has no axes, a list if it has one.

    Raises:
        UnsafeFile: its pickle asks to run code.
        DamagedFile: it is cut off or damaged, or longer or shorter than its header says.
        UnknownFile: it is not an `.npy` file.
        UnsupportedFile: an array of records or of objects in several axes.
        OSError: it cannot be opened.
    """
    check_regular(path)
    with path.open("rb") as file, with_path(path):
        if file.read(len(MAGIC)) != MAGIC:
            raise UnknownFile("expected a NumPy array (.npy), and it does not begin like one")
        return array_of(file)


def array_of(file: IO[bytes]) -> Any:
    """The same of an open file, without the path before what is refused."""
    return to_plain_data(content_of(file), file.seek(0, io.SEEK_END))


def content_of(file: IO[bytes]) -> Any:
    """The same before `to_plain_data`, which an archive's arrays go through together."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    version = _npy.read_magic(file)
    headers = {(1, 0): _npy.read_array_header_1_0, (2, 0): _npy.read_array_header_2_0}
    if version not in headers:
        raise UnsupportedFile(f"a NumPy array of version {version[0]}.{version[1]}, expected 1.0 or 2.0")
    shape, by_column, dtype = headers[version](file)
    if dtype == np.dtype(object):
        objects = unpickle(file)
        if not isinstance(objects, Array):
            raise DamagedFile("a NumPy array of objects whose pickle holds no array")
        return objects
    if dtype.kind not in "biufc":
        raise UnsupportedFile(f"a NumPy array of {one_line(str(dtype))}, expected one of numbers")
    expected, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or expected != found:
        raise DamagedFile(f"{list(shape)} of {dtype} are {expected} bytes, and {found} follow its header")
    count = math.prod(shape)
    # NumPy's own reader takes no file that lies in memory.
    values = (
        np.frombuffer(file.read(), dtype) if isinstance(file, io.BytesIO) else np.fromfile(file, dtype, count)
    )
    numbers = values.reshape(shape, order="F" if by_column else "C")
    return numbers.astype(dtype.newbyteorder("="), copy=False)
