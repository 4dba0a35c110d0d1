"""In-domain inversion's StyleGAN generator, a bare state dict with a w for each layer and a final tanh.

Published with Zhu et al., "In-Domain GAN Inversion for Real Image Editing" (2020).

Licence: MIT; trained on FFHQ, whose pictures are CC BY-NC-SA.
"""

from __future__ import annotations

from torch import Tensor

from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.families.family import GeneratorFamily, Part
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.families.shared.stylegan1 import Spelling, build_generator, read_config
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config


def _doubling(named: NamedTensors, layer: str, channels: tuple[int, int], resolution: int) -> Tensor:
    """Fine layers double by a transposed convolution, whose kernel lies the other way around."""
    outputs, inputs = channels
    if f"{layer}.weight" not in named:
        return named.take(f"{layer}.conv.weight", (outputs, inputs, 3, 3))
    kernel = named.take(f"{layer}.weight", (3, 3, inputs, outputs))
    return kernel.permute(3, 2, 0, 1).flip(2, 3).contiguous()


_SPELLING = Spelling(
    dense=("fc.weight", "wscale.bias"),
    convolution="conv.weight",
    doubling=_doubling,
    epilogue="epilogue.",
    style=("epilogue.style_mod.dense.fc.weight", "epilogue.style_mod.dense.wscale.bias"),
    to_rgb=("conv.weight", "bias"),
)


def generator_config(part: Part) -> StyleGAN1Config:
    """Read the shape of a generator off its tensors.

    No tensor tells of the final tanh: every generator published for in-domain inversion has one.

    Args:
        part: `mapping.dense{i}.*`, `synthesis.*`, `truncation.*`.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: its mapping network gives one w for all layers, or it is class-conditional.
    """
    config = read_config(part, _SPELLING, tanh=True)
    if config.shared:
        raise UnsupportedFile(
            f"{part.what}: mapping.dense{config.mapping_layers - 1}.fc.weight: expected a w for each of "
            f"{config.layers} layers, as in-domain inversion's generators have it, got one for all"
        )
    return config


def build(part: Part) -> StyleGAN1:
    """Build a generator.

    The mean latent is the file's `truncation.w_avg`; estimated where it is missing, or zero as it was
    initialised. Truncation reaches the layers that the file's `truncation.truncation` says.

    Args:
        part: `mapping.dense{i}.*`, `synthesis.*`, `truncation.*`.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or is unknown.
        UnsupportedFile: as `generator_config`, or it is not a finished network of the family.
    """
    return build_generator(part, _SPELLING, generator_config(part))


FAMILY = GeneratorFamily(
    label="idinvert generator (StyleGAN)",
    licence="MIT; trained on FFHQ, whose pictures are CC BY-NC-SA",
    marks=(("mapping.dense0.fc.weight", "synthesis.layer0.const"),),
    config=generator_config,
    build=build,
)
