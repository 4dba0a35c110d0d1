"""The service's own terms as messages: images, latents, checkpoints, measures."""

from __future__ import annotations

import math

import numpy as np
from google.protobuf import duration_pb2
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.images.codec import Format, write
from relatent_service.inversion.refinement import SavedState
from relatent_service.traffic.call import Call

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

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


def latent_message(pack: Pack, code: Floats) -> types_pb2.Latent:
    """A code float32 [L, D] for an answer."""
    return types_pb2.Latent(
        pack=pack.name,
        revision=pack.revision,
        space=types_pb2.LATENT_SPACE_W_PLUS,
        shape=code.shape,
        values=write_floats(code),
    )


def checkpoint_message(pack: Pack, saved: SavedState) -> inversion_pb2.Checkpoint:
    """A checkpoint for an answer."""
    return inversion_pb2.Checkpoint(
        pack=pack.name,
        revision=pack.revision,
        method=saved.method,
        steps=len(saved.losses),
        state=[
            inversion_pb2.StateTensor(name=name, shape=array.shape, values=write_floats(array))
            for name, array in saved.state.items()
        ],
        losses=saved.losses.tolist(),
        learning_rate=saved.learning_rate or 0.0,
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
        queue=_duration(call.queue_seconds),
        inference=_duration(call.inference_seconds),
        total=_duration(call.elapsed()),
    )


def _duration(seconds: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(max(0, round(seconds * 1e9)))
    return duration


def write_floats(array: Floats) -> bytes:
    """The bytes of an array as it travels: IEEE float32, little-endian, row by row."""
    return np.ascontiguousarray(array, "<f4").tobytes()
