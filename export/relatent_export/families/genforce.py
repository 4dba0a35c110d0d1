"""StyleGAN2 and StyleGAN1 generators as genforce publishes them, a checkpoint's `generator_smooth`.

Its StyleGAN2 stores the weights as rosinality's and NVIDIA's, but for two things: the kernels of its
upsampling convolutions lie the other way around, and the one that every style starts from is not in
the bias.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.families import stylegan1
from relatent_export.families.mean_latent import estimated_mean
from relatent_export.families.named import NamedTensors, check_colours
from relatent_export.nets.assigning import assign
from relatent_export.nets.layers import fir_kernel
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig

Tensors = Mapping[str, Tensor]

_TRANSPOSED_FROM = 128
"""Side from which its StyleGAN1 doubles by a transposed convolution; no tensor tells of it."""


def _doubling(named: NamedTensors, layer: str, widths: tuple[int, int], side: int) -> Tensor:
    """The kernel of a transposed convolution lies the other way around."""
    weight = named.take(f"{layer}.weight", (*widths, 3, 3))
    return weight.flip(2, 3) if side >= _TRANSPOSED_FROM else weight


_SPELLING = stylegan1.Spelling(
    dense=("weight", "bias"),
    convolution="weight",
    doubling=_doubling,
    epilogue="",
    style=("style.weight", "style.bias"),
    colour=("weight", "bias"),
)


def generator_config(tensors: Tensors, what: str = "genforce generator") -> GeneratorConfig | StyleGAN1Config:
    """Read the shape of a generator off its tensors.

    Args:
        tensors: `mapping.dense{i}.*`, `synthesis.*`, `truncation.w_avg`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: it is neither a StyleGAN2 nor a StyleGAN1, or a variant that packs do not have.
    """
    if "synthesis.early_layer.const" in tensors:
        return _stylegan2_config(tensors, what)
    if "synthesis.layer0.const" in tensors:
        return stylegan1.read_config(tensors, what, _SPELLING, tanh=False)
    if "layer0.weight" in tensors and "output0.weight" in tensors:
        raise UnsupportedFile(
            f"{what}: a progressively grown GAN (PGGAN), which has no W space to invert to; bring a StyleGAN"
        )
    raise UnsupportedFile(
        f"{what}: expected a constant to start from, 'synthesis.early_layer.const' (StyleGAN2) or "
        "'synthesis.layer0.const' (StyleGAN1), found neither"
    )


def stylegan1_from(tensors: Tensors, what: str = "genforce generator") -> StyleGAN1:
    """Build a StyleGAN1 generator.

    No tensor tells from which side on it doubles by transposed convolutions, whose kernels lie the other
    way around: 128 pixels, as in every published one. The mean latent is the file's `truncation.w_avg`;
    estimated where it is missing, or zero as it was initialised.

    Args:
        tensors: `mapping.dense{i}.*`, `synthesis.*`, `truncation.w_avg`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or nothing is known of it.
        UnsupportedFile: it is class-conditional, or not a finished network of the family.
    """
    config = stylegan1.read_config(tensors, what, _SPELLING, tanh=False)
    return stylegan1.build(tensors, what, _SPELLING, config)


def _stylegan2_config(tensors: Tensors, what: str) -> GeneratorConfig:
    named = NamedTensors(tensors, what)
    stylegan1.refuse_classes(named, what)
    channels = [named.shape("synthesis.layer0.weight")[0]]
    while f"synthesis.layer{2 * len(channels)}.weight" in named:
        channels.append(named.shape(f"synthesis.layer{2 * len(channels)}.weight")[0])
    if "synthesis.output0.weight" not in named:
        raise UnsupportedFile(
            f"{what}: its synthesis is not of the skip architecture, which is StyleGAN2's own; 'origin' and "
            "'resnet' are not supported"
        )
    check_colours(named.shape("synthesis.output0.bias"), what)
    width, layers = named.shape("synthesis.layer0.style.weight")[1], 1
    while f"mapping.dense{layers}.weight" in named:
        layers += 1
    outputs = named.shape(f"mapping.dense{layers - 1}.weight")[0]
    if outputs != width:
        raise UnsupportedFile(
            f"{what}: mapping.dense{layers - 1}.weight: expected one w of {width} numbers for all layers, "
            f"got {outputs}"
        )
    return GeneratorConfig(
        resolution=4 << (len(channels) - 1),
        latent_width=width,
        mapping_layers=layers,
        channels=tuple(channels),
        noise=True,
        z_width=named.shape("mapping.dense0.weight")[1],
    )


def stylegan2_from(tensors: Tensors, what: str = "genforce generator") -> Generator:
    """Build a StyleGAN2 generator.

    The mean latent is the file's `truncation.w_avg`; estimated where it is missing, or zero as it was
    initialised.

    Args:
        tensors: `mapping.dense{i}.*`, `synthesis.*`, `truncation.w_avg`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or nothing is known of it.
        UnsupportedFile: it is class-conditional, not of the skip architecture, or its filters are not the
            family's.
    """
    config = _stylegan2_config(tensors, what)
    named, width, channels = NamedTensors(tensors, what), config.latent_width, config.channels
    state: dict[str, Tensor] = {}
    for i in range(config.mapping_layers):
        inputs = config.z_width if i == 0 else width
        state[f"mapping.layers.{i}.weight"] = named.take(f"mapping.dense{i}.weight", (width, inputs))
        state[f"mapping.layers.{i}.bias"] = named.take(f"mapping.dense{i}.bias", (width,))
    state["synthesis.constant"] = named.take("synthesis.early_layer.const", (1, channels[0], 4, 4))
    for k in range(2 * len(channels) - 1):
        theirs, ours = f"synthesis.layer{k}", f"synthesis.layers.{k}"
        inputs, outputs, side = channels[k // 2], channels[(k + 1) // 2], 4 << ((k + 1) // 2)
        weight = named.take(f"{theirs}.weight", (outputs, inputs, 3, 3))
        state[f"{ours}.conv.weight"] = weight.flip(2, 3) if k % 2 == 1 else weight
        state |= _style(named, theirs, ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (outputs,))
        state[f"{ours}.noise_strength"] = named.take(f"{theirs}.noise_strength", ())
        state[f"{ours}.noise"] = named.take(f"{theirs}.noise", (1, 1, side, side))
    for level, inputs in enumerate(channels):
        theirs, ours = f"synthesis.output{level}", f"synthesis.colours.{level}"
        state[f"{ours}.conv.weight"] = named.take(f"{theirs}.weight", (3, inputs, 1, 1))
        state |= _style(named, theirs, ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (3,))
    mean = torch.zeros(width)
    if "truncation.w_avg" in named:
        mean = named.take("truncation.w_avg", (width,))
    _check_filters(named.drop(r"synthesis\.(layer\d+\.filter|upsample)\.kernel"), what)
    named.finish()
    generator = Generator(config)
    assign(generator, {**state, "mapping.mean": mean})
    if not bool(mean.any()):  # as it was initialised: nobody has measured it
        generator.mapping.mean = estimated_mean(generator.mapping, config.z_width)
    return generator


def _style(named: NamedTensors, theirs: str, ours: str, inputs: int, width: int) -> dict[str, Tensor]:
    return {
        f"{ours}.conv.style.weight": named.take(f"{theirs}.style.weight", (inputs, width)),
        f"{ours}.conv.style.bias": named.take(f"{theirs}.style.bias", (inputs,)) + 1,
    }


def _check_filters(kernels: Tensors, what: str) -> None:
    """Filters are constants of the family, and dropped; another one would be another network."""
    expected = fir_kernel(1, 4.0)
    for name, kernel in kernels.items():
        if kernel.shape != expected.shape or not torch.allclose(kernel.float(), expected, atol=1e-5):
            raise UnsupportedFile(f"{what}: {name}: expected the filter [1, 3, 3, 1], got another one")
