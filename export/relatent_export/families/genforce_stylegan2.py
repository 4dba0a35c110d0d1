"""StyleGAN2 as genforce publishes it, a checkpoint's `generator_smooth`.

It stores the weights as rosinality and NVIDIA do, but for two things: the kernels of its upsampling
convolutions lie the other way around, and the one that every style starts from is not in the bias.

Licence: MIT for the code; weights converted from NVIDIA's stay NVIDIA's.
"""

from __future__ import annotations

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.families.family import GeneratorFamily, Part, Tensors
from relatent_export.families.shared.named_tensors import NamedTensors, check_to_rgb, refuse_classes
from relatent_export.families.shared.stylegan2 import build_generator, convolutions, mapping_state
from relatent_export.nets.layers import fir_kernel
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig


def generator_config(part: Part) -> GeneratorConfig:
    """Read the shape of a generator off its tensors.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: it is class-conditional, not of the skip architecture, or not of three colours.
    """
    named, what = NamedTensors(part.tensors, part.what), part.what
    refuse_classes(named, what)
    channels = [named.shape("synthesis.layer0.weight")[0]]
    while f"synthesis.layer{2 * len(channels)}.weight" in named:
        channels.append(named.shape(f"synthesis.layer{2 * len(channels)}.weight")[0])
    if "synthesis.output0.weight" not in named:
        raise UnsupportedFile(
            f"{what}: its synthesis is not of the skip architecture, which is StyleGAN2's own; 'origin' and "
            "'resnet' are not supported"
        )
    check_to_rgb(named.shape("synthesis.output0.bias"), what)
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


def build(part: Part) -> Generator:
    """Build a generator.

    The mean latent is the file's `truncation.w_avg`; estimated where it is missing, or zero as it was
    initialised.

    Args:
        part: `mapping.dense{i}.*`, `synthesis.*`, `truncation.w_avg`.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or is unknown.
        UnsupportedFile: as `generator_config`, or its filters are not the family's.
    """
    config, named = generator_config(part), NamedTensors(part.tensors, part.what)
    width, channels = config.latent_width, config.channels
    state = mapping_state(named, config, "mapping.dense{}")
    state["synthesis.const"] = named.take("synthesis.early_layer.const", (1, channels[0], 4, 4))
    for k, (inputs, outputs, resolution) in enumerate(convolutions(channels)):
        theirs, ours = f"synthesis.layer{k}", f"synthesis.layers.{k}"
        weight = named.take(f"{theirs}.weight", (outputs, inputs, 3, 3))
        state[f"{ours}.conv.weight"] = weight.flip(2, 3) if k % 2 == 1 else weight
        state |= _style(named, theirs, ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (outputs,))
        state[f"{ours}.noise_strength"] = named.take(f"{theirs}.noise_strength", ())
        state[f"{ours}.noise"] = named.take(f"{theirs}.noise", (1, 1, resolution, resolution))
    for level, inputs in enumerate(channels):
        theirs, ours = f"synthesis.output{level}", f"synthesis.to_rgbs.{level}"
        state[f"{ours}.conv.weight"] = named.take(f"{theirs}.weight", (3, inputs, 1, 1))
        state |= _style(named, theirs, ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (3,))
    mean = named.take("truncation.w_avg", (width,)) if "truncation.w_avg" in named else None
    _check_filters(named.drop(r"synthesis\.(layer\d+\.filter|upsample)\.kernel"), part.what)
    named.finish()
    measured = mean is not None and bool(mean.any())  # else it is as it was initialised
    return build_generator(config, state, mean if measured else None)


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


FAMILY = GeneratorFamily(
    label="StyleGAN2, genforce",
    licence="MIT for the code; weights converted from NVIDIA's stay NVIDIA's",
    marks=(("mapping.dense0.weight", "synthesis.early_layer.const"),),
    config=generator_config,
    build=build,
)
