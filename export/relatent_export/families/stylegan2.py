"""StyleGAN2 generators as published by rosinality's code (and all that was made from it) and NVIDIA's.

Both name the same weights: a scaled mapping network, one modulated convolution a layer, a colour layer
a level. Widths and resolution are read off the shapes.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.families.mean_latent import estimated_mean
from relatent_export.families.named import NamedTensors, check_colours
from relatent_export.nets.assigning import assign
from relatent_export.nets.layers import fir_kernel
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig

Tensors = Mapping[str, Tensor]


def rosinality_config(tensors: Tensors, what: str) -> GeneratorConfig:
    """Read the shape of a generator off tensors named as in rosinality's code.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: it does not draw in three colours.
    """
    named = NamedTensors(tensors, what)
    check_colours(named.shape("to_rgb1.bias"), what)
    channels = [named.shape("conv1.conv.weight")[1]]
    while f"convs.{2 * len(channels) - 2}.conv.weight" in named:
        channels.append(named.shape(f"convs.{2 * len(channels) - 2}.conv.weight")[1])
    layers = sum(1 for name in tensors if name.startswith("style.") and name.endswith(".weight"))
    return GeneratorConfig(
        resolution=4 << (len(channels) - 1),
        latent_width=named.shape("conv1.conv.modulation.weight")[1],
        mapping_layers=layers,
        channels=tuple(channels),
        noise=True,
        z_width=named.shape("style.1.weight")[1],
    )


def from_rosinality(tensors: Tensors, latent_avg: Tensor | None, what: str) -> Generator:
    """Build a generator from tensors named as in rosinality's code.

    Args:
        tensors: `style.*`, `input.input`, `conv1.*`, `to_rgb1.*`, `convs.*`, `to_rgbs.*`, `noises.*`.
        latent_avg: the mean latent [D], or one row for each layer; estimated if None.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or nothing is known of it.
    """
    config = rosinality_config(tensors, what)
    named, width, channels = NamedTensors(tensors, what), config.latent_width, config.channels
    state: dict[str, Tensor] = {}
    for i in range(config.mapping_layers):
        inputs = config.z_width if i == 0 else width
        state[f"mapping.layers.{i}.weight"] = named.take(f"style.{i + 1}.weight", (width, inputs))
        state[f"mapping.layers.{i}.bias"] = named.take(f"style.{i + 1}.bias", (width,))
    state["synthesis.constant"] = named.take("input.input", (1, channels[0], 4, 4))
    for layer, (inputs, outputs, side) in enumerate(_layers(channels)):
        theirs = "conv1" if layer == 0 else f"convs.{layer - 1}"
        ours = f"synthesis.layers.{layer}"
        state |= _styled(named, f"{theirs}.conv", ours, (outputs, inputs, 3, 3), width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.activate.bias", (outputs,))
        state[f"{ours}.noise_strength"] = named.take(f"{theirs}.noise.weight", ())
        state[f"{ours}.noise"] = _noise(named, f"noises.noise_{layer}", side)
    for level, inputs in enumerate(channels):
        theirs = "to_rgb1" if level == 0 else f"to_rgbs.{level - 1}"
        ours = f"synthesis.colours.{level}"
        state |= _styled(named, f"{theirs}.conv", ours, (3, inputs, 1, 1), width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (3,))
    _check_filters(named.drop(r".*\.kernel"), what)
    named.finish()
    return _generator(config, state, _mean_row(latent_avg))


def nvlabs_config(tensors: Tensors, what: str) -> GeneratorConfig:
    """Read the shape of a generator off tensors named as in NVIDIA's StyleGAN2-ADA.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: it is class-conditional, not of the skip architecture, or not of three colours.
    """
    named = NamedTensors(tensors, what)
    if "mapping.embed.weight" in named:
        raise UnsupportedFile(
            f"{what}: a class-conditional generator ({named.shape('mapping.embed.weight')[1]} classes), and "
            "a pack has no classes; train or convert it without labels"
        )
    if "synthesis.b8.torgb.weight" not in tensors or "synthesis.b8.skip.weight" in tensors:
        raise UnsupportedFile(
            f"{what}: its synthesis is not of the skip architecture, which is StyleGAN2's own; 'orig' and "
            "'resnet' are not supported"
        )
    check_colours(named.shape("synthesis.b4.torgb.bias"), what)
    channels = [named.shape("synthesis.b4.conv1.weight")[0]]
    while f"synthesis.b{4 << len(channels)}.conv0.weight" in named:
        channels.append(named.shape(f"synthesis.b{4 << len(channels)}.conv0.weight")[0])
    layers = sum(1 for name in tensors if name.startswith("mapping.fc") and name.endswith(".weight"))
    return GeneratorConfig(
        resolution=4 << (len(channels) - 1),
        latent_width=named.shape("synthesis.b4.conv1.affine.weight")[1],
        mapping_layers=layers,
        channels=tuple(channels),
        noise="synthesis.b4.conv1.noise_const" in named,
        z_width=named.shape("mapping.fc0.weight")[1],
    )


def from_nvlabs(tensors: Tensors, what: str) -> Generator:
    """Build a generator from tensors named as in NVIDIA's StyleGAN2-ADA (PyTorch).

    What its mixed-precision networks clamp activations to, 256 times the gain, is left out: activations
    of trained networks do not come near.

    Args:
        tensors: `mapping.*` and `synthesis.b{R}.*`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or nothing is known of it.
        UnsupportedFile: as `nvlabs_config`.
    """
    config = nvlabs_config(tensors, what)
    named, width, channels = NamedTensors(tensors, what), config.latent_width, config.channels
    state: dict[str, Tensor] = {}
    for i in range(config.mapping_layers):
        inputs = config.z_width if i == 0 else width
        state[f"mapping.layers.{i}.weight"] = named.take(f"mapping.fc{i}.weight", (width, inputs))
        state[f"mapping.layers.{i}.bias"] = named.take(f"mapping.fc{i}.bias", (width,))
    mean = named.take("mapping.w_avg", (width,)) if "mapping.w_avg" in named else None
    state["synthesis.constant"] = named.take("synthesis.b4.const", (1, channels[0], 4, 4))
    for layer, (inputs, outputs, side) in enumerate(_layers(channels)):
        theirs, ours = f"synthesis.b{side}.conv{1 if layer % 2 == 0 else 0}", f"synthesis.layers.{layer}"
        state[f"{ours}.conv.weight"] = named.take(f"{theirs}.weight", (outputs, inputs, 3, 3))
        state |= _affine(named, f"{theirs}.affine", ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (outputs,))
        if config.noise:
            state[f"{ours}.noise_strength"] = named.take(f"{theirs}.noise_strength", ())
            state[f"{ours}.noise"] = named.take(f"{theirs}.noise_const", (1, 1, side, side))
    for level, inputs in enumerate(channels):
        theirs, ours = f"synthesis.b{4 << level}.torgb", f"synthesis.colours.{level}"
        state[f"{ours}.conv.weight"] = named.take(f"{theirs}.weight", (3, inputs, 1, 1))
        state |= _affine(named, f"{theirs}.affine", ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (3,))
    _check_filters(named.drop(r".*\.resample_filter"), what)
    named.finish()
    return _generator(config, state, mean)


def _layers(channels: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Inputs, outputs and side of each convolution."""
    layers = [(channels[0], channels[0], 4)]
    for level in range(1, len(channels)):
        layers.append((channels[level - 1], channels[level], 4 << level))
        layers.append((channels[level], channels[level], 4 << level))
    return layers


def _styled(
    named: NamedTensors, theirs: str, ours: str, shape: tuple[int, ...], width: int
) -> dict[str, Tensor]:
    return {
        f"{ours}.conv.weight": named.take(f"{theirs}.weight", shape),
        f"{ours}.conv.style.weight": named.take(f"{theirs}.modulation.weight", (shape[1], width)),
        f"{ours}.conv.style.bias": named.take(f"{theirs}.modulation.bias", (shape[1],)),
    }


def _affine(named: NamedTensors, theirs: str, ours: str, inputs: int, width: int) -> dict[str, Tensor]:
    return {
        f"{ours}.conv.style.weight": named.take(f"{theirs}.weight", (inputs, width)),
        f"{ours}.conv.style.bias": named.take(f"{theirs}.bias", (inputs,)),
    }


def _noise(named: NamedTensors, name: str, side: int) -> Tensor:
    """A layer's constant noise; files from before it was kept draw it anew each time: then none."""
    if name not in named:
        return torch.zeros(1, 1, side, side)
    return named.take(name, (1, 1, side, side))


def _check_filters(kernels: Tensors, what: str) -> None:
    """Blur kernels are constants of the family, and dropped; another one would be another network."""
    expected = fir_kernel(1, 1.0)[0, 0]
    for name, kernel in kernels.items():
        found = kernel.to(torch.float32)
        if found.shape != expected.shape or not torch.allclose(found / found.sum(), expected, atol=1e-5):
            raise UnsupportedFile(f"{what}: {name}: expected the filter [1, 3, 3, 1], got another one")


def _mean_row(latent_avg: Tensor | None) -> Tensor | None:
    """The mean latent, if all layers share one."""
    if latent_avg is None:
        return None
    rows = latent_avg.to(torch.float32).reshape(-1, latent_avg.shape[-1])
    return rows[0].clone() if bool((rows == rows[0]).all()) else None


def _generator(config: GeneratorConfig, state: dict[str, Tensor], mean: Tensor | None) -> Generator:
    generator = Generator(config)
    assign(generator, {**state, "mapping.mean": torch.zeros(config.latent_width) if mean is None else mean})
    if mean is None:
        generator.mapping.mean.copy_(estimated_mean(generator.mapping, config.z_width))
    return generator
