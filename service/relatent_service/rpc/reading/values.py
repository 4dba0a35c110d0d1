"""Images, latent codes and checkpoints of requests, checked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from relatent.core.methods import Initial, Method
from relatent.core.pack import Pack
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.catalog import shown
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded, Format
from relatent_service.inversion.refinement import SavedState
from relatent_service.rpc.reading.latents import broadcast_w, check_origin, check_shape, read_floats

Floats = NDArray[np.float32]

_FORMATS: dict[int, Format] = {
    types_pb2.IMAGE_FORMAT_PNG: Format.PNG,
    types_pb2.IMAGE_FORMAT_JPEG: Format.JPEG,
    types_pb2.IMAGE_FORMAT_WEBP: Format.WEBP,
    types_pb2.IMAGE_FORMAT_RAW_RGB: Format.RAW_RGB,
}


def read_image(image: types_pb2.Image, field: str) -> Encoded:
    """An image as it came, not decoded yet.

    Raises:
        InvalidField: its format is none we know.
    """
    layout = _read_format(image.format, f"{field}.format")
    return Encoded(image.data, layout, image.width, image.height, field)


def read_output_format(number: int, field: str) -> Format:
    """The format that answers shall have, PNG unless told otherwise.

    Raises:
        InvalidField: it is none we know.
    """
    return _read_format(number, field) or Format.PNG


def read_latent(pack: Pack, latent: types_pb2.Latent, field: str) -> Floats:
    """A code of a pack, float32 [L, D]; one of W is repeated for every layer.

    Raises:
        InvalidField: its pack, revision, space, shape or values are not the pack's.
    """
    check_origin(pack, latent.pack, latent.revision, field)
    if latent.space == types_pb2.LATENT_SPACE_W:
        shape: tuple[int, ...] = (pack.width,)
    elif latent.space == types_pb2.LATENT_SPACE_W_PLUS:
        shape = (pack.layers, pack.width)
    else:
        raise InvalidField(f"{field}.space", f"expected W (1) or W_PLUS (2), got {latent.space}")
    check_shape(latent.shape, shape, field)
    values = read_floats(latent.values, shape, field)
    return broadcast_w(pack, values) if len(shape) == 1 else values


def read_checkpoint(
    pack: Pack, method: Method, message: inversion_pb2.Checkpoint, max_steps: int, field: str
) -> SavedState:
    """Where an earlier call was that inverted by a method.

    Raises:
        InvalidField: it is of another pack or revision, or its state is not the method's.
    """
    check_origin(pack, message.pack, message.revision, field)
    if message.steps > max_steps:
        raise InvalidField(f"{field}.steps", f"expected at most {max_steps}, got {message.steps}")
    if len(message.losses) != message.steps:
        raise InvalidField(
            f"{field}.losses", f"expected one for each of {message.steps} steps, got {len(message.losses)}"
        )
    losses = np.array(message.losses, np.float32)
    if not np.isfinite(losses).all():
        raise InvalidField(f"{field}.losses", "expected finite numbers", reason="NOT_FINITE")
    rate = message.learning_rate
    if not math.isfinite(rate) or rate < 0:
        raise InvalidField(f"{field}.learning_rate", f"expected a finite number of at least 0, got {rate:g}")
    return SavedState(method.name, _read_state(method, message, field), losses, rate or None)


def _read_format(number: int, field: str) -> Format | None:
    if number == types_pb2.IMAGE_FORMAT_UNSPECIFIED:
        return None
    if number not in _FORMATS:
        known = ", ".join(f"{layout.value} ({value})" for value, layout in _FORMATS.items())
        raise InvalidField(field, f"expected one of {known}, got {number}")
    return _FORMATS[number]


def _read_state(method: Method, message: inversion_pb2.Checkpoint, field: str) -> dict[str, Floats]:
    expected = method.state
    names = [tensor.name for tensor in message.state]
    if sorted(names) != sorted(expected):
        got = ", ".join(shown(name) for name in names[:16]) or "none"
        raise InvalidField(
            f"{field}.state", f"expected the tensors {', '.join(expected)}, each once, got {got}"
        )
    state = {}
    for index, tensor in enumerate(message.state):
        path, spec = f"{field}.state[{index}]", expected[tensor.name]
        check_shape(tensor.shape, spec.shape, path)
        finite = spec.initial is not Initial.INFINITY
        state[tensor.name] = read_floats(tensor.values, spec.shape, path, finite=finite)
    return state
