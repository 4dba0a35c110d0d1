"""In-domain inversion's encoder, a bare state dict.

Published with Zhu et al., "In-Domain GAN Inversion for Real Image Editing" (2020).

Licence: MIT; trained on FFHQ, whose pictures are CC BY-NC-SA.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile
from relatent_export.families.family import EncoderFamily, Part
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.assigning import assign
from relatent_export.nets.indomain_encoder import InDomainConfig, InDomainEncoder
from relatent_export.nets.networks import AnyGenerator

_NORM_EPSILON = 1e-5


def encoder_config(part: Part) -> InDomainConfig:
    """Read the shape of an encoder off its tensors.

    Args:
        part: `block{i}.*`.

    Raises:
        DamagedFile: a tensor is missing, or it does not give codes of two layers a resolution.
    """
    named, what = NamedTensors(part.tensors, part.what), part.what
    channels = [named.shape("block0.conv.weight")[0]]
    while f"block{len(channels)}.conv2.weight" in named:
        channels.append(named.shape(f"block{len(channels)}.conv2.weight")[0])
    # The first keeps the resolution, each further one halves it, down to 4.
    last, layers = len(channels), 2 * len(channels)
    numbers = named.shape(f"block{last}.fc.weight")[0]
    if numbers % layers or last < 2:
        raise DamagedFile(
            f"{what}: block{last}.fc.weight: expected {layers} layers of equal width, got {numbers} numbers"
        )
    return InDomainConfig(4 << (last - 1), layers, numbers // layers, tuple(channels))


def build(part: Part) -> InDomainEncoder:
    """Build an encoder.

    Args:
        part: `block{i}.*`.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or is unknown.
    """
    config, named = encoder_config(part), NamedTensors(part.tensors, part.what)
    channels = config.channels
    state = _folded(named, "entry", "block0.conv", (channels[0], 3, 3, 3), norm="block0.bn")
    for i in range(1, len(channels)):
        theirs, ours, inputs, outputs = f"block{i}", f"blocks.{i - 1}", channels[i - 1], channels[i]
        hidden = min(inputs, outputs)
        for number, name, shape in (
            (1, "first", (hidden, inputs, 3, 3)),
            (2, "second", (outputs, hidden, 3, 3)),
        ):
            bias = named.take(f"{theirs}.wscale{number}.bias", shape[:1])
            state |= _folded(
                named, f"{ours}.{name}", f"{theirs}.conv{number}", shape, bias, norm=f"{theirs}.bn{number}"
            )
        if inputs != outputs:
            shape = (outputs, inputs, 1, 1)
            state |= _folded(named, f"{ours}.shortcut", f"{theirs}.conv", shape, norm=f"{theirs}.bn")
    last, inputs = f"block{len(channels)}", channels[-1] * 16
    numbers = config.layers * config.width
    state |= _folded(
        named, "dense", f"{last}.fc", (numbers, inputs), norm=f"{last}.bn", gain=1 / math.sqrt(inputs)
    )
    named.finish()
    with torch.device("meta"):  # every weight comes from the file
        encoder = InDomainEncoder(config)
    assign(encoder, state)
    return encoder


def _folded(
    named: NamedTensors,
    ours: str,
    theirs: str,
    shape: tuple[int, ...],
    bias: Tensor | None = None,
    *,
    norm: str,
    gain: float = 1.0,
) -> dict[str, Tensor]:
    """A weight, the bias added after it and the batch normalisation after that, as one weight and bias.

    The published convolutions divide by the equalised learning rate's factor and multiply by it again,
    which leaves their weights as they are; that of the linear layer acts, and is its `gain`.
    """
    weight = named.take(f"{theirs}.weight", shape)
    if bias is None:
        bias = torch.zeros(shape[0])
    if f"{norm}.bn.running_mean" not in named:
        return {f"{ours}.weight": weight * gain, f"{ours}.bias": bias}
    # (x - mean) / sqrt(variance) * scale + shift, with the statistics of training.
    scale, shift, mean, variance = (
        named.take(f"{norm}.bn.{name}", shape[:1])
        for name in ("weight", "bias", "running_mean", "running_var")
    )
    named.drop(rf"{norm}\.bn\.num_batches_tracked")
    scale = scale * torch.rsqrt(variance + _NORM_EPSILON)
    weight = weight * (gain * scale).reshape(-1, *[1] * (len(shape) - 1))
    return {f"{ours}.weight": weight, f"{ours}.bias": shift + (bias - mean) * scale}


def _config(part: Part, layers: int | None) -> InDomainConfig:
    return encoder_config(part)


def _build(part: Part, generator: AnyGenerator) -> InDomainEncoder:
    return build(part)


def _check(part: Part) -> None:
    build(part)


FAMILY = EncoderFamily(
    label="idinvert encoder",
    licence="MIT; trained on FFHQ, whose pictures are CC BY-NC-SA",
    marks=(("block0.conv.weight", "block1.conv1.weight"),),
    config=_config,
    build=_build,
    check=_check,
    kind="in-domain inversion's",
)
