"""In-domain inversion's files: a StyleGAN1 generator and its encoder, each a bare state dict.

Published with Zhu et al., "In-Domain GAN Inversion for Real Image Editing" (2020).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families import stylegan1
from relatent_export.families.named import NamedTensors
from relatent_export.nets.assigning import assign
from relatent_export.nets.indomain_encoder import InDomainConfig, InDomainEncoder
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config

Tensors = Mapping[str, Tensor]

_NORM_EPSILON = 1e-5


def _doubling(named: NamedTensors, layer: str, widths: tuple[int, int], side: int) -> Tensor:
    """Fine layers double the side by a transposed convolution, whose kernel lies the other way around."""
    outputs, inputs = widths
    if f"{layer}.weight" not in named:
        return named.take(f"{layer}.conv.weight", (outputs, inputs, 3, 3))
    kernel = named.take(f"{layer}.weight", (3, 3, inputs, outputs))
    return kernel.permute(3, 2, 0, 1).flip(2, 3).contiguous()


_SPELLING = stylegan1.Spelling(
    dense=("fc.weight", "wscale.bias"),
    convolution="conv.weight",
    doubling=_doubling,
    epilogue="epilogue.",
    style=("epilogue.style_mod.dense.fc.weight", "epilogue.style_mod.dense.wscale.bias"),
    colour=("conv.weight", "bias"),
)


def generator_config(tensors: Tensors, what: str = "idinvert generator") -> StyleGAN1Config:
    """Read the shape of a generator off its tensors.

    No tensor tells of the final tanh: every generator published for in-domain inversion has one.

    Args:
        tensors: `mapping.dense{i}.*`, `synthesis.*`, `truncation.*`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: its mapping network gives one w for all layers, or it is class-conditional.
    """
    config = stylegan1.read_config(tensors, what, _SPELLING, tanh=True)
    if config.shared:
        raise UnsupportedFile(
            f"{what}: mapping.dense{config.mapping_layers - 1}.fc.weight: expected a w for each of "
            f"{config.layers} layers, as in-domain inversion's generators have it, got one for all"
        )
    return config


def generator_from(tensors: Tensors, what: str = "idinvert generator") -> StyleGAN1:
    """Build a generator.

    The mean latent is the file's `truncation.w_avg`; estimated where it is missing, or zero as it was
    initialised. Truncation reaches the rows that the file's `truncation.truncation` says.

    Args:
        tensors: `mapping.dense{i}.*`, `synthesis.*`, `truncation.*`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or nothing is known of it.
        UnsupportedFile: as `generator_config`, or it is not a finished network of the family.
    """
    return stylegan1.build(tensors, what, _SPELLING, generator_config(tensors, what))


def encoder_config(tensors: Tensors, what: str = "idinvert encoder") -> InDomainConfig:
    """Read the shape of an encoder off its tensors.

    Args:
        tensors: `block{i}.*`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, or its last layer does not give two rows a resolution.
    """
    named = NamedTensors(tensors, what)
    channels = [named.shape("block0.conv.weight")[0]]
    while f"block{len(channels)}.conv2.weight" in named:
        channels.append(named.shape(f"block{len(channels)}.conv2.weight")[0])
    # The first keeps the side, each further one halves it, down to 4.
    last, layers = len(channels), 2 * len(channels)
    numbers = named.shape(f"block{last}.fc.weight")[0]
    if numbers % layers or last < 2:
        raise DamagedFile(
            f"{what}: block{last}.fc.weight: expected {layers} rows of equal width, got {numbers} numbers"
        )
    return InDomainConfig(4 << (last - 1), layers, numbers // layers, tuple(channels))


def encoder_from(tensors: Tensors, what: str = "idinvert encoder") -> InDomainEncoder:
    """Build an encoder.

    Args:
        tensors: `block{i}.*`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or nothing is known of it.
    """
    config, named = encoder_config(tensors, what), NamedTensors(tensors, what)
    channels = config.channels
    state = _folded(named, "entry", "block0.conv", (channels[0], 3, 3, 3), norm="block0.bn")
    for i in range(1, len(channels)):
        theirs, ours, inputs, outputs = f"block{i}", f"blocks.{i - 1}", channels[i - 1], channels[i]
        hidden = min(inputs, outputs)
        for part, name, shape in (
            (1, "first", (hidden, inputs, 3, 3)),
            (2, "second", (outputs, hidden, 3, 3)),
        ):
            bias = named.take(f"{theirs}.wscale{part}.bias", shape[:1])
            state |= _folded(
                named, f"{ours}.{name}", f"{theirs}.conv{part}", shape, bias, norm=f"{theirs}.bn{part}"
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
    # (x - mean) / deviation * scale + shift, with the statistics of training.
    scale, shift, mean, variance = (
        named.take(f"{norm}.bn.{part}", shape[:1])
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    named.drop(rf"{norm}\.bn\.num_batches_tracked")
    scale = scale * torch.rsqrt(variance + _NORM_EPSILON)
    weight = weight * (gain * scale).reshape(-1, *[1] * (len(shape) - 1))
    return {f"{ours}.weight": weight, f"{ours}.bias": shift + (bias - mean) * scale}
