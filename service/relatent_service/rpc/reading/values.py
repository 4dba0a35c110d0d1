"""Images, latent codes and checkpoints of requests, checked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.methods import Initial, Method
from relatent.core.pack import Pack
from relatent.core.spaces import CODE
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.catalog import ServedPacks, shown
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded, Format
from relatent_service.inversion.refinement import SavedState
from relatent_service.rpc.reading.latents import check_origin, check_shape, read_floats
from relatent_service.rpc.spaces import SPACES, TYPES

MAX_RESTARTS = 8
"""Starts of one inversion: all of them are refined at once."""

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


def read_latent(pack: Pack, latent: types_pb2.Latent, field: str) -> Codes:
    """One code of a pack; one of W is repeated for every layer.

    Raises:
        InvalidField: its pack, revision, space, shape or values are not the pack's.
    """
    check_origin(pack, latent.pack, latent.revision, field)
    space = next((space for space in pack.spaces if SPACES[space] == latent.space), None)
    if space is None:
        known = ", ".join(
            f"{types_pb2.LatentSpace.Name(SPACES[each])[13:]} ({SPACES[each]})" for each in pack.spaces
        )
        raise InvalidField(f"{field}.space", f"expected one of the pack's, {known}, got {latent.space}")
    expected = dict(pack.spaces[space].parts)
    own = expected.pop(CODE)
    check_shape(latent.shape, own.shape, field)
    parts = {CODE: read_floats(latent.values, own.shape, field)}
    names = [part.name for part in latent.parts]
    if sorted(names) != sorted(expected):
        listed = f"{', '.join(expected)}, each once" if expected else "none"
        raise InvalidField(f"{field}.parts", f"expected {listed}, got {_quoted(names)}")
    for index, part in enumerate(latent.parts):
        path, spec = f"{field}.parts[{index}]", expected[part.name]
        if part.type != TYPES[spec.dtype]:
            raise InvalidField(
                f"{path}.type", f"expected {spec.dtype} ({TYPES[spec.dtype]}), got {part.type}"
            )
        check_shape(part.shape, spec.shape, path)
        parts[part.name] = read_floats(part.values, spec.shape, path, dtype=spec.dtype)
    code = Codes(space, {name: parts[name][None] for name in pack.spaces[space].parts})
    return code.broadcast(pack.layers)


def read_source_code(packs: ServedPacks, latent: types_pb2.Latent, field: str) -> tuple[Pack, Codes]:
    """A code that is to be edited, and its pack, which it must name.

    Raises:
        InvalidField: it is of no pack, or not what it must be.
    """
    if not latent.pack:
        raise InvalidField(f"{field}.pack", "expected the name of the code's pack, got none")
    pack = packs.pack(latent.pack, f"{field}.pack")
    return pack, read_latent(pack, latent, field)


def read_latents(pack: Pack, latents: Sequence[types_pb2.Latent], field: str) -> Codes:
    """Codes of a pack, all of one space; those of W count as of W+.

    Raises:
        InvalidField: one of them is not what it must be, or of another space than the first.
    """
    codes = [read_latent(pack, latent, f"{field}[{index}]") for index, latent in enumerate(latents)]
    for index, code in enumerate(codes):
        if code.space is not codes[0].space:
            raise InvalidField(
                f"{field}[{index}].space",
                f"expected a code of {codes[0].space}, as {field}[0] is, got one of {code.space}",
            )
    return Codes.joined(codes)


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
    starts = message.restarts or 1
    if starts > MAX_RESTARTS:
        raise InvalidField(f"{field}.restarts", f"expected 0 to {MAX_RESTARTS}, got {starts}")
    if len(message.losses) != message.steps * starts:
        wanted = f"{message.steps} steps" + (f" of {starts} starts" if starts > 1 else "")
        raise InvalidField(f"{field}.losses", f"expected one for each of {wanted}, got {len(message.losses)}")
    losses = np.array(message.losses, np.float32).reshape(starts, message.steps)
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
        raise InvalidField(
            f"{field}.state", f"expected the tensors {', '.join(expected)}, each once, got {_quoted(names)}"
        )
    state, starts = {}, message.restarts or 1
    for index, tensor in enumerate(message.state):
        path, spec = f"{field}.state[{index}]", expected[tensor.name]
        shape = (starts, *spec.shape)
        check_shape(tensor.shape, spec.shape if starts == 1 else shape, path)
        # A start that led nowhere is left behind the others with whatever numbers it has.
        finite = spec.initial is not Initial.INFINITY and starts == 1
        state[tensor.name] = read_floats(tensor.values, shape, path, finite=finite)
    return state


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(shown(name) for name in names[:16]) or "none"
