"""The service's own terms as messages: images, latents, checkpoints, measures."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np
from google.protobuf import duration_pb2
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent.core.tracing import span
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.images.codec import Format, write
from relatent_service.inversion.plausibility import Plausibility
from relatent_service.inversion.refinement import SavedState
from relatent_service.rpc.spaces import LAYOUTS, SPACES, TYPES
from relatent_service.traffic.call import Call

Array = NDArray[Any]
Pixels = NDArray[np.uint8]
P = ParamSpec("P")
T = TypeVar("T")

_WIRE = {
    Format.PNG: types_pb2.IMAGE_FORMAT_PNG,
    Format.JPEG: types_pb2.IMAGE_FORMAT_JPEG,
    Format.WEBP: types_pb2.IMAGE_FORMAT_WEBP,
    Format.RAW_RGB: types_pb2.IMAGE_FORMAT_RAW_RGB,
}


def image_message(pixels: Pixels, layout: Format) -> types_pb2.Image:
    """An image uint8 [H, W, 3] for an answer. Blocking: call it off the event loop."""
    height, width = pixels.shape[:2]
    data = write(pixels, layout)
    return types_pb2.Image(data=data, format=_WIRE[layout], width=width, height=height)


async def encode(make: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Make what holds images of an answer, off the event loop."""
    with span("encode"):
        return await asyncio.to_thread(make, *given, **named)


def latent_message(pack: Pack, code: Codes) -> types_pb2.Latent:
    """One code for an answer."""
    parts = pack.spaces[code.space].parts
    return types_pb2.Latent(
        pack=pack.name,
        revision=pack.revision,
        space=SPACES[code.space],
        shape=code.w.shape[1:],
        values=write_floats(code.w[0]),
        parts=[
            types_pb2.LatentPart(
                name=name,
                type=TYPES[parts[name].dtype],
                shape=array.shape[1:],
                values=write_floats(array[0], parts[name].dtype),
            )
            for name, array in code.carried.items()
        ],
    )


def latent_messages(pack: Pack, codes: Codes) -> list[types_pb2.Latent]:
    """Codes for an answer, one message each."""
    return [latent_message(pack, codes[index : index + 1]) for index in range(len(codes))]


def checkpoint_message(pack: Pack, saved: SavedState) -> inversion_pb2.Checkpoint:
    """A checkpoint for an answer."""
    starts, steps = saved.losses.shape
    one = starts == 1
    return inversion_pb2.Checkpoint(
        pack=pack.name,
        revision=pack.revision,
        method=saved.method,
        steps=steps,
        state=[
            inversion_pb2.StateTensor(
                name=name, shape=array.shape[1:] if one else array.shape, values=write_floats(array)
            )
            for name, array in saved.state.items()
        ],
        losses=saved.losses.ravel().tolist(),
        learning_rate=saved.learning_rate or 0.0,
        restarts=0 if one else starts,
    )


def in_domain_message(plausibility: Plausibility | None) -> inversion_pb2.InDomain | None:
    """How plausible an image and its code are, for an answer."""
    if plausibility is None:
        return None
    return inversion_pb2.InDomain(
        score=plausibility.score,
        cycle=plausibility.cycle,
        typical_cycle=plausibility.domain.typical_cycle,
        code_cycle=plausibility.code_cycle,
    )


def quality_message(quality: Quality) -> types_pb2.Quality:
    """Measures of a reconstruction for an answer."""
    return types_pb2.Quality(
        mse=quality.mse,
        psnr=quality.psnr,
        ssim=quality.ssim,
        perceptual=math.nan if quality.perceptual is None else quality.perceptual,
        identity=quality.identity,
    )


def timings_message(call: Call) -> types_pb2.Timings:
    """Where a call's time went, so far."""
    return types_pb2.Timings(
        queue=duration_message(call.queue_seconds),
        inference=duration_message(call.inference_seconds),
        total=duration_message(call.elapsed()),
    )


def duration_message(seconds: float) -> duration_pb2.Duration:
    """Seconds, for an answer; none where they are fewer."""
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(max(0, round(seconds * 1e9)))
    return duration


def write_floats(array: Array, dtype: str = "float32") -> bytes:
    """The bytes of an array as it travels: of its type, little-endian, row by row."""
    return np.ascontiguousarray(array, LAYOUTS[dtype]).tobytes()
