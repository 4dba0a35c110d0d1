"""StyleGAN as genforce publishes it, a checkpoint's `generator_smooth`.

Licence: MIT for the code; weights converted from NVIDIA's stay NVIDIA's.
"""

from __future__ import annotations

from torch import Tensor

from relatent_export.families.family import GeneratorFamily, Part
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.families.shared.stylegan1 import Spelling, build_generator, read_config
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config

_TRANSPOSED_FROM = 128
"""Resolution from which it doubles by a transposed convolution; no tensor tells of it."""


def _doubling(named: NamedTensors, layer: str, channels: tuple[int, int], resolution: int) -> Tensor:
    """The kernel of a transposed convolution lies the other way around."""
    weight = named.take(f"{layer}.weight", (*channels, 3, 3))
    return weight.flip(2, 3) if resolution >= _TRANSPOSED_FROM else weight


_SPELLING = Spelling(
    dense=("weight", "bias"),
    convolution="weight",
    doubling=_doubling,
    epilogue="",
    style=("style.weight", "style.bias"),
    to_rgb=("weight", "bias"),
)


def generator_config(part: Part) -> StyleGAN1Config:
    """Read the shape of a generator off its tensors.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: it is class-conditional, or does not draw in three colours.
    """
    return read_config(part, _SPELLING, tanh=False)


def build(part: Part) -> StyleGAN1:
    """Build a generator.

    No tensor tells from which resolution on it doubles by transposed convolutions, whose kernels lie the
    other way around: 128 pixels, as in every published one. The mean latent is the file's
    `truncation.w_avg`; estimated where it is missing, or zero as it was initialised.

    Args:
        part: `mapping.dense{i}.*`, `synthesis.*`, `truncation.w_avg`.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or is unknown.
        UnsupportedFile: it is class-conditional, or not a finished network of the family.
    """
    return build_generator(part, _SPELLING, generator_config(part))


FAMILY = GeneratorFamily(
    label="StyleGAN, genforce",
    licence="MIT for the code; weights converted from NVIDIA's stay NVIDIA's",
    marks=(("mapping.dense0.weight", "synthesis.layer0.const"),),
    config=generator_config,
    build=build,
)
