"""rosinality's StyleGAN2, converted from NVIDIA's or trained with its code, and all that was made from it.

    g_ema         the averaged generator: `style.*`, `input.input`, `conv1.*`, `to_rgb1.*`, `convs.*`, ...
    latent_avg    the mean latent, in converted files

Licence: rosinality's code is MIT; weights converted from NVIDIA's stay NVIDIA's, others are those of whoever
trained them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from relatent_export.families.family import GeneratorFamily, Part
from relatent_export.families.shared.named_tensors import NamedTensors, check_to_rgb
from relatent_export.families.shared.stylegan2 import (
    build_generator,
    check_filters,
    convolutions,
    mapping_state,
)
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig


def generator_config(part: Part) -> GeneratorConfig:
    """Read the shape of a generator off its tensors.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: it does not draw in three colours.
    """
    named = NamedTensors(part.tensors, part.what)
    check_to_rgb(named.shape("to_rgb1.bias"), part.what)
    channels = [named.shape("conv1.conv.weight")[1]]
    while f"convs.{2 * len(channels) - 2}.conv.weight" in named:
        channels.append(named.shape(f"convs.{2 * len(channels) - 2}.conv.weight")[1])
    layers = sum(1 for name in part.tensors if name.startswith("style.") and name.endswith(".weight"))
    return GeneratorConfig(
        resolution=4 << (len(channels) - 1),
        latent_width=named.shape("conv1.conv.modulation.weight")[1],
        mapping_layers=layers,
        channels=tuple(channels),
        noise=True,
        z_width=named.shape("style.1.weight")[1],
    )


def build(part: Part) -> Generator:
    """Build a generator; a mean latent that is not there, or not the same for all layers, is estimated.

    Args:
        part: `style.*`, `input.input`, `conv1.*`, `to_rgb1.*`, `convs.*`, `to_rgbs.*`, `noises.*`.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or is unknown.
        UnsupportedFile: as `generator_config`, or its filters are not the family's.
    """
    config, named = generator_config(part), NamedTensors(part.tensors, part.what)
    width, channels = config.latent_width, config.channels
    state = mapping_state(named, config, "style.{}", first=1)
    state["synthesis.const"] = named.take("input.input", (1, channels[0], 4, 4))
    for layer, (inputs, outputs, resolution) in enumerate(convolutions(channels)):
        theirs = "conv1" if layer == 0 else f"convs.{layer - 1}"
        ours = f"synthesis.layers.{layer}"
        state |= _modulated(named, f"{theirs}.conv", ours, (outputs, inputs, 3, 3), width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.activate.bias", (outputs,))
        state[f"{ours}.noise_strength"] = named.take(f"{theirs}.noise.weight", ())
        state[f"{ours}.noise"] = _noise(named, f"noises.noise_{layer}", resolution)
    for level, inputs in enumerate(channels):
        theirs = "to_rgb1" if level == 0 else f"to_rgbs.{level - 1}"
        ours = f"synthesis.to_rgbs.{level}"
        state |= _modulated(named, f"{theirs}.conv", ours, (3, inputs, 1, 1), width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (3,))
    check_filters(named.drop(r".*\.kernel"), part.what)
    named.finish()
    return build_generator(config, state, _mean_of_all_layers(part.latent_avg))


def _modulated(
    named: NamedTensors, theirs: str, ours: str, shape: tuple[int, ...], width: int
) -> dict[str, Tensor]:
    return {
        f"{ours}.conv.weight": named.take(f"{theirs}.weight", shape),
        f"{ours}.conv.style.weight": named.take(f"{theirs}.modulation.weight", (shape[1], width)),
        f"{ours}.conv.style.bias": named.take(f"{theirs}.modulation.bias", (shape[1],)),
    }


def _noise(named: NamedTensors, name: str, resolution: int) -> Tensor:
    """A layer's constant noise; files from before it was kept draw it anew each time: then none."""
    if name not in named:
        return torch.zeros(1, 1, resolution, resolution)
    return named.take(name, (1, 1, resolution, resolution))


def _mean_of_all_layers(latent_avg: Tensor | None) -> Tensor | None:
    """The mean latent, if all layers share one."""
    if latent_avg is None:
        return None
    means = latent_avg.to(torch.float32).reshape(-1, latent_avg.shape[-1])
    return means[0].clone() if bool((means == means[0]).all()) else None


FAMILY = GeneratorFamily(
    label="StyleGAN2, rosinality",
    licence="that of whoever trained them; rosinality's code is MIT, weights converted from NVIDIA's stay "
    "NVIDIA's",
    marks=(("style.1.weight", "conv1.conv.weight"),),
    mean_beside=True,
    config=generator_config,
    build=build,
)
