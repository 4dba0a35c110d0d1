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
from PIL import Image, ImageOps

from relatent.colour import for_png
from relatent.errors import ContractError, InputError
from relatent.v1 import types_pb2

ImageInput: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[np.uint8] | Picture"
"""A path to an image file, the file's bytes, a PIL image, uint8 [H, W, 3] RGB, or a `Picture`."""

E = TypeVar("E", bound=StrEnum)

_RAW_LIMIT = 4 << 20
"""Bytes up to which pixels are sent as they are; larger ones as PNG, which is slower but smaller."""


class ImageFormat(StrEnum):
    """How an answer's images are encoded."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    RAW = "raw"
    """height * width * 3 bytes, rows from the top: the cheapest where the pixels are what counts."""


class Fit(StrEnum):
    """What to do with an image that is not square."""

    CROP = "crop"
    """Keep the centre square."""
    PAD = "pad"
    """Extend to a square by repeating the border."""
    REFUSE = "refuse"
    """Fail with `InvalidArgumentError`."""


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
        """The picture as a PIL image, RGB."""
        if self.format is ImageFormat.RAW:
            return Image.frombytes("RGB", (self.width, self.height), self.data)
        with Image.open(io.BytesIO(self.data)) as image:
            return image.convert("RGB")

    @property
    def array(self) -> NDArray[np.uint8]:
        """The pixels, uint8 [height, width, 3], RGB."""
        return np.asarray(self.image, dtype=np.uint8)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.array if dtype is None else self.array.astype(dtype)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture; a suffix other than that of its own format converts it.

        Raises:
            InputError: the suffix is not one that Pillow writes.
        """
        path = Path(path)
        kind = writable_format(path)
        if kind.lower() == self.format.value:
            path.write_bytes(self.data)
        else:
            self.image.save(path, format=kind)


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

    Files and bytes are sent as they are; the server recognises PNG, JPEG and WebP. Of a PIL image of
    mode I, white is 65,535, and of mode F, 1.

    Args:
        image: see `ImageInput`.
        what: what to call it in errors.

    Raises:
        InputError: no such file, an array that holds no picture, or an image of a mode that cannot be sent.
    """
    match image:
        case str() | os.PathLike():
            return types_pb2.Image(data=_read(Path(image), what))
        case bytes() | bytearray() | memoryview():
            return types_pb2.Image(data=bytes(image))
        case Picture():
            return types_pb2.Image(
                data=image.data, format=_FORMATS[image.format], width=image.width, height=image.height
            )
        case Image.Image():
            return _pil_message(image, what)
        case np.ndarray():
            return _array_message(image, what)
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
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what}: {path}: {error.strerror or error}") from error


def _pil_message(image: Image.Image, what: str) -> types_pb2.Image:
    upright = for_png(ImageOps.exif_transpose(image), what)
    if upright.mode == "RGB" and not {"icc_profile", "transparency"} & upright.info.keys():
        return _pixels_message(upright)
    return types_pb2.Image(data=_png(upright), format=types_pb2.IMAGE_FORMAT_PNG)


def _array_message(array: NDArray[Any], what: str) -> types_pb2.Image:
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise InputError(f"{what}: expected a uint8 array [H, W, 3], got {array.dtype} {list(array.shape)}")
    return _pixels_message(Image.fromarray(np.ascontiguousarray(array)))


def _pixels_message(image: Image.Image) -> types_pb2.Image:
    if image.width * image.height * 3 > _RAW_LIMIT:
        return types_pb2.Image(data=_png(image), format=types_pb2.IMAGE_FORMAT_PNG)
    return types_pb2.Image(
        data=image.tobytes(), format=types_pb2.IMAGE_FORMAT_RAW_RGB, width=image.width, height=image.height
    )


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
