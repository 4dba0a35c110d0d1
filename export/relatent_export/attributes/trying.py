"""Trying networks on samples: what cannot be an attribute is found before a pack is made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from onnxruntime.capi import onnxruntime_pybind11_state as runtime
from torch import Tensor

from relatent.core.attributes import Attribute
from relatent_export.attributes.adapting import adapt
from relatent_export.attributes.graphs import IMAGE, READINGS, with_names
from relatent_export.attributes.joining import join, take
from relatent_export.attributes.network import ImageNetwork, TakenAttribute
from relatent_export.compile.onnx import clean
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.pixels import to_bytes
from relatent_export.progress import tell as tell_line

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

_SAMPLES, _BATCH, _SEED = 15, 3, 61
_NEAR = 1e-3
"""As far as an answer may depend on what else is in its batch, as a share of what answers differ by and are:
batches of other sizes are added up in other orders."""
_LEAST = 1e-7
"""Below this, as a share of their size, differences between answers are rounding."""
_SAME = 1e-3
"""Sums that differ by less than this share of what answers do are the same."""
_QUIET = 4
"""Only what is fatal: errors are raised as well, and warnings are of the network's maker's concern."""
REFUSALS = (
    *(runtime.Fail, runtime.InvalidArgument, runtime.InvalidGraph, runtime.InvalidProtobuf),
    *(runtime.NotImplemented, runtime.RuntimeException, ValueError),
)
"""What ONNX Runtime raises of graphs that it cannot load or run."""


class UnusableNetwork(ValueError):
    """A network does not answer what an attribute network must."""


@dataclass(frozen=True)
class AdaptedNetworks:
    """Networks that read attributes, as a pack has them.

    Attributes:
        graph: `attributes.onnx`, uint8 [B, R, R, 3] to float32 [B, A].
        attributes: its outputs, in order.
    """

    graph: bytes
    attributes: tuple[Attribute, ...]


def adapt_networks(
    networks: Sequence[ImageNetwork], generator: AnyGenerator, tell: Callable[[str], None] = tell_line
) -> AdaptedNetworks:
    """Make one graph of networks that reads a generator's images, and try it on some.

    Args:
        networks: one or more.
        generator: whose images.
        tell: takes a line of what is doubtful.

    Raises:
        UnusableNetwork: a network does not run on them, alone and in batches alike, or its answers are not
            finite, or the same for all; names the network and the output.
        ValueError: two attributes share a name, or a network is not as it is described.
        OSError: a graph cannot be read; names it.
    """
    images = sample_images(generator)
    models, attributes = [], []
    for network in networks:
        model = adapt(network, generator.config.resolution)
        readings = try_network(network, model, images)
        taken = network.attributes_of(readings.shape[1])
        for each in taken:
            _check(network, each.attribute.name, readings[:, each.index])
        _tell_sum(network, taken, readings, tell)
        models.append(take(model, [each.index for each in taken]))
        attributes += [each.attribute for each in taken]
    names = [attribute.name for attribute in attributes]
    if twice := [name for place, name in enumerate(names) if name in names[:place]]:
        raise ValueError(f"attributes: expected each name once, got {twice[0]!r} again")
    model = with_names(clean(join(models)), names)
    return AdaptedNetworks(model.SerializeToString(deterministic=True), tuple(attributes))


@torch.no_grad()
def sample_images(generator: AnyGenerator) -> Bytes:
    """Some of a generator's images, always the same, uint8 [15, R, R, 3]."""
    random = torch.Generator().manual_seed(_SEED)
    z = torch.randn(_SAMPLES, generator.config.z_width, generator=random)
    codes = generator.codes(z, 1.0)
    images: Bytes = torch.cat(
        [to_bytes(generator.synthesis(each)) for each in torch.split(codes, _BATCH)]
    ).numpy()
    return images


def synthesis_reader(graph: bytes, synthesis: Callable[[Tensor], Tensor]) -> Callable[[Floats], Floats]:
    """What reads attributes of points: PyTorch makes the images, ONNX Runtime reads them.

    The images are not rounded to bytes in between, or small changes of a point would be lost in that.

    Args:
        graph: uint8 [B, R, R, 3] to float32 [B, A].
        synthesis: makes the images [B, 3, R, R] of points, float32 of any shape, such as codes.

    Returns:
        Points to readings, float32 [B, A].
    """
    model = onnx.ModelProto.FromString(graph)
    # The first node casts bytes to floats; of floats it makes the same.
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    session = open_session(model)

    @torch.no_grad()
    def read(points: Floats) -> Floats:
        images = synthesis(torch.from_numpy(points)).clamp(-1, 1)
        pixels = ((images + 1) * 127.5).permute(0, 2, 3, 1).contiguous().numpy()
        readings: Floats = session.run([READINGS], {IMAGE: pixels})[0]
        return readings

    return read


def open_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Have ONNX Runtime load a model."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _QUIET
    return onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )


def try_network(network: ImageNetwork, model: onnx.ModelProto, images: Bytes) -> Floats:
    """What a network answers to images one by one, float32 [15, N], if it answers batches likewise."""
    try:
        session = open_session(model)
        alone = [session.run([READINGS], {IMAGE: image[None]})[0] for image in images]
    except REFUSALS as error:
        raise UnusableNetwork(f"{network.file}: it does not run: {first_line(error)}") from error
    if any(answer.shape != alone[0].shape or len(answer) != 1 for answer in alone):
        raise UnusableNetwork(
            f"{network.file}: expected a row of numbers for an image, got {list(alone[0].shape)}"
        )
    batches = images.reshape(-1, _BATCH, *images.shape[1:])
    try:
        together = [session.run([READINGS], {IMAGE: batch})[0] for batch in batches]
    except REFUSALS as error:
        raise UnusableNetwork(
            f"{network.file}: expected a network that takes several images at once, got one that is made for "
            f"one: {first_line(error)}"
        ) from error
    singly: Floats = np.concatenate(alone)
    if any(answer.shape != (_BATCH, singly.shape[1]) for answer in together):
        raise UnusableNetwork(
            f"{network.file}: expected a row of numbers for each of {_BATCH} images, got "
            f"{list(together[0].shape)}: it is made for one image at a time"
        )
    jointly = np.concatenate(together)
    finite = np.isfinite(singly) & np.isfinite(jointly)
    one, other = np.where(finite, singly, 0), np.where(finite, jointly, 0)
    if (np.abs(other - one) > _NEAR * np.abs(one).max(0) + _LEAST).any():
        raise UnusableNetwork(
            f"{network.file}: expected answers that do not depend on what else is in a batch, got others"
        )
    return singly


def _check(network: ImageNetwork, name: str, readings: Floats) -> None:
    if not np.isfinite(readings).all():
        bad = readings[~np.isfinite(readings)][0]
        raise UnusableNetwork(f"{network.source}: {name}: expected finite answers to samples, got {bad:g}")
    if np.ptp(readings) <= _LEAST * float(np.abs(readings).max()):
        raise UnusableNetwork(
            f"{network.source}: {name}: expected answers that tell samples apart, got {readings[0]:g} for all"
        )


def _tell_sum(
    network: ImageNetwork, taken: Sequence[TakenAttribute], readings: Floats, tell: Callable[[str], None]
) -> None:
    """Tell of shares of a whole, all of which are taken: none can move while the others are held."""
    columns = readings[:, [each.index for each in taken]].astype(np.float64)
    total = columns.sum(1)
    if len(taken) > 1 and np.ptp(total) < _SAME * np.ptp(columns, axis=0).max():
        names = ", ".join(each.attribute.name for each in taken)
        tell(
            f"{network.source}: {names}: always add up to {total[0]:g}, so that edits of one cannot hold all "
            "others; leave one out"
        )


def first_line(error: Exception) -> str:
    """Of what an error says."""
    return str(error).splitlines()[0]
