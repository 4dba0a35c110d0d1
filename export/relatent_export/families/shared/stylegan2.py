"""What StyleGAN2's ports have in common, whatever they call its weights.

Each has a scaled mapping network, one modulated convolution a layer and one to RGB a level.
"""

from __future__ import annotations

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.families.family import Tensors
from relatent_export.families.shared.mean_latent import estimated_mean
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.assigning import assign
from relatent_export.nets.layers import fir_kernel
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig


def convolutions(channels: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Input channels, output channels and the outputs' resolution of each convolution, coarsest first."""
    layers = [(channels[0], channels[0], 4)]
    for level in range(1, len(channels)):
        layers.append((channels[level - 1], channels[level], 4 << level))
        layers.append((channels[level], channels[level], 4 << level))
    return layers


def mapping_state(
    named: NamedTensors, config: GeneratorConfig, layer: str, first: int = 0
) -> dict[str, Tensor]:
    """Take the mapping network's tensors.

    Args:
        named: what they are taken from.
        config: of the generator.
        layer: what a layer is called, with `{}` for its number.
        first: the first layer's number.

    Raises:
        DamagedFile: one is missing or misshapen.
    """
    state = {}
    for i in range(config.mapping_layers):
        inputs, theirs = config.z_width if i == 0 else config.latent_width, layer.format(first + i)
        shape = (config.latent_width, inputs)
        state[f"mapping.layers.{i}.weight"] = named.take(f"{theirs}.weight", shape)
        state[f"mapping.layers.{i}.bias"] = named.take(f"{theirs}.bias", shape[:1])
    return state


def check_filters(kernels: Tensors, what: str) -> None:
    """Refuse another low-pass filter than the family's, whatever its scale.

    They are constants, which are dropped; another one would make another network.

    Raises:
        UnsupportedFile: one is not [1, 3, 3, 1] along each axis.
    """
    expected = fir_kernel(1, 1.0)[0, 0]
    for name, kernel in kernels.items():
        found = kernel.to(torch.float32)
        if found.shape != expected.shape or not torch.allclose(found / found.sum(), expected, atol=1e-5):
            raise UnsupportedFile(f"{what}: {name}: expected the filter [1, 3, 3, 1], got another one")


def build_generator(config: GeneratorConfig, state: dict[str, Tensor], mean: Tensor | None) -> Generator:
    """Build a generator of its own tensors by name; a mean latent [D] that is not there is estimated."""
    generator = Generator(config)
    assign(generator, {**state, "mapping.mean": torch.zeros(config.latent_width) if mean is None else mean})
    if mean is None:
        generator.mapping.mean.copy_(estimated_mean(generator.mapping, config.z_width))
    return generator
