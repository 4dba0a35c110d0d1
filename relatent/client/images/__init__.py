"""Images on their way in and out: whatever a caller has becomes a message, an answer a `Picture`."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from relatent.client.errors import ContractError, InputError
from relatent.client.images import packing
from relatent.core import files
from relatent.core.damage import damage
from relatent.core.fit import Fit
from relatent.v1 import types_pb2

ImageInput: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8] | Picture"
"""A path to an image file, the file's bytes, a PIL image, uint8 [H, W, 3] RGB, or a `Picture`.

Files may be PNG, JPEG or WebP, AVIF, TIFF, BMP or GIF; and HEIC where `relatent[heif]` is installed.
"""

E = TypeVar("E", bound=StrEnum)

_FILE_LIMIT = 1 << 30
"""Bytes of a file that is read at all; no message could hold more."""


class ImageFormat(StrEnum):
    """How an answer's images are encoded."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    RAW = "raw"
    """height * width * 3 bytes, rows from the top: the cheapest where the pixels are what counts."""


_FORMATS = {
    ImageFormat.PNG: types_pb2.IMAGE_FORMAT_PNG,
    ImageFormat.JPEG: types_pb2.IMAGE_FORMAT_JPEG,
    ImageFormat.WEBP: types_pb2.IMAGE_FORMAT_WEBP,
    ImageFormat.RAW: types_pb2.IMAGE_FORMAT_RAW_RGB,
}
_FORMAT_OF_MESSAGE = {message: name for name, message in _FORMATS.items()}
_FITS = {Fit.CROP: types_pb2.FIT_CROP, Fit.PAD: types_pb2.FIT_PAD, Fit.REFUSE: types_pb2.FIT_REFUSE}


@dataclass(frozen=True)
class Picture:
    """An image as the server sent it.

    `numpy.asarray(picture)` gives its pixels.

    Attributes:
        data: the encoded bytes.
        format: how they are encoded.
        width, height: in pixels.
    """

    data: bytes = field(repr=False)
    format: ImageFormat
    width: int
    height: int

    @property
    def image(self) -> Image.Image:
        """The picture as a PIL image, RGB.

        Raises:
            ContractError: its bytes are not what they should be.
        """
        try:
            if self.format is ImageFormat.RAW:
                return Image.frombytes("RGB", (self.width, self.height), self.data)
            with Image.open(io.BytesIO(self.data), formats=[self.format.value]) as image:
                return image.convert("RGB")
        except MemoryError:
            raise
        except Exception as error:  # the decoders raise nearly anything on broken bytes
            raise ContractError(
                f"image: the answer's {self.format.value} is broken: {damage(self.data, error)}"
            ) from error

    @property
    def array(self) -> NDArray[np.uint8]:
        """The pixels, uint8 [height, width, 3], RGB."""
        return np.asarray(self.image, dtype=np.uint8)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.array if dtype is None else self.array.astype(dtype)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture, whole or not at all; a suffix other than that of its own format converts it.

        Raises:
            InputError: the suffix is not one that Pillow writes.
            OSError: the file cannot be written; it says which.
        """
        path = Path(path)
        if writable_format(path).lower() == self.format.value:
            files.write_file(path, self.data)
        else:
            save_image(self.image, path)


def save_image(image: Image.Image, path: Path, **options: Any) -> None:
    """Write a PIL image, whole or not at all, in the format that the path's suffix stands for.

    Args:
        image: what to write.
        path: where to.
        **options: of Pillow's writer.

    Raises:
        InputError: the suffix is not one that Pillow writes, or not of such an image.
        OSError: the file cannot be written; it says which.
    """
    buffer, kind = io.BytesIO(), writable_format(path)
    try:
        image.save(buffer, kind, **options)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: Pillow does not write this picture as {kind}: {error}") from error
    files.write_file(path, buffer.getvalue())


def writable_format(path: Path) -> str:
    """Pillow's name of the format that a path's suffix stands for.

    Raises:
        InputError: the suffix is not one that Pillow writes.
    """
    kind = Image.registered_extensions().get(path.suffix.lower(), "")
    if kind not in Image.SAVE:
        raise InputError(f"{path}: expected a name ending in .png, .jpg, .webp or the like")
    return kind


def image_message(image: ImageInput, what: str = "image") -> types_pb2.Image:
    """Make a message of an image.

    Files and bytes of PNG, JPEG and WebP are sent as they are, and so is what is not recognised here, for
    the server to judge. AVIF, TIFF, BMP and GIF are converted, and HEIC where `relatent[heif]` is installed:
    upright, with colour profile, depth and transparency as far as PNG holds them. Of an animation or of
    several pages the first counts. Of a PIL image of mode I, white is 65,535, and of mode F, 1.

    Args:
        image: see `ImageInput`.
        what: what to call it in errors.

    Raises:
        InputError: no such file, one of something else than a picture, a broken one that was to be converted,
            an array that holds no picture, or an image of a mode that cannot be sent.
    """
    match image:
        case str() | os.PathLike():
            return packing.encoded_message(_read(Path(image), what), f"{what}: {os.fspath(image)}")
        case bytes() | bytearray() | memoryview():
            return packing.encoded_message(bytes(image), what)
        case Picture():
            return types_pb2.Image(
                data=image.data, format=_FORMATS[image.format], width=image.width, height=image.height
            )
        case Image.Image():
            return packing.pil_message(image, what)
        case np.ndarray():
            return packing.array_message(image, what)
        case _:
            raise InputError(
                f"{what}: expected a path, bytes, a PIL image or a uint8 array [H, W, 3], "
                f"got {type(image).__name__}"
            )


def picture(message: types_pb2.Image) -> Picture:
    """Make a `Picture` of an answer's image.

    Raises:
        ContractError: the answer does not say what it holds.
    """
    if message.format not in _FORMAT_OF_MESSAGE or not message.width or not message.height:
        raise ContractError("image: the answer holds an image without a format or a size")
    return Picture(
        message.data, _FORMAT_OF_MESSAGE[message.format], width=message.width, height=message.height
    )


def format_message(value: ImageFormat | str | None) -> types_pb2.ImageFormat.ValueType:
    """The wish for an answer's format; None leaves it to the server, which sends PNG.

    Raises:
        InputError: no such format.
    """
    if value is None:
        return types_pb2.IMAGE_FORMAT_UNSPECIFIED
    return _FORMATS[_member(ImageFormat, value, "output_format")]


def fit_message(value: Fit | str | None) -> types_pb2.Fit.ValueType:
    """The wish for images that are not square; None leaves it to the server, which crops.

    Raises:
        InputError: no such way.
    """
    if value is None:
        return types_pb2.FIT_UNSPECIFIED
    return _FITS[_member(Fit, value, "fit")]


def _member(kind: type[E], value: str, what: str) -> E:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{what}: expected one of {', '.join(kind)}, got {value!r}") from None


def _read(path: Path, what: str) -> bytes:
    try:
        return files.read_file(path, _FILE_LIMIT)
    except OSError as error:
        raise InputError(f"{what}: {path}: {error.strerror or error}") from error
