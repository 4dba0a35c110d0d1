"""NVIDIA's StyleGAN2-ADA for PyTorch: `G_ema` of its pickles.

Licence: NVIDIA's own weights and code come under its Source Code License, without commercial use.
"""

from __future__ import annotations

from torch import Tensor

from relatent_export.checkpoints.errors import UnsupportedFile
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
        UnsupportedFile: it is class-conditional, not of the skip architecture, or not of three colours.
    """
    tensors, what = part.tensors, part.what
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
    check_to_rgb(named.shape("synthesis.b4.torgb.bias"), what)
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


def build(part: Part) -> Generator:
    """Build a generator; a mean latent that is not there is estimated.

    What its mixed-precision networks clamp activations to, 256 times the gain, is left out: activations
    of trained networks do not come near.

    Args:
        part: `mapping.*` and `synthesis.b{R}.*`.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or is unknown.
        UnsupportedFile: as `generator_config`, or its filters are not the family's.
    """
    config, named = generator_config(part), NamedTensors(part.tensors, part.what)
    width, channels = config.latent_width, config.channels
    state = mapping_state(named, config, "mapping.fc{}")
    mean = named.take("mapping.w_avg", (width,)) if "mapping.w_avg" in named else None
    state["synthesis.const"] = named.take("synthesis.b4.const", (1, channels[0], 4, 4))
    for layer, (inputs, outputs, resolution) in enumerate(convolutions(channels)):
        theirs = f"synthesis.b{resolution}.conv{1 if layer % 2 == 0 else 0}"
        ours = f"synthesis.layers.{layer}"
        state[f"{ours}.conv.weight"] = named.take(f"{theirs}.weight", (outputs, inputs, 3, 3))
        state |= _affine(named, f"{theirs}.affine", ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (outputs,))
        if config.noise:
            state[f"{ours}.noise_strength"] = named.take(f"{theirs}.noise_strength", ())
            state[f"{ours}.noise"] = named.take(f"{theirs}.noise_const", (1, 1, resolution, resolution))
    for level, inputs in enumerate(channels):
        theirs, ours = f"synthesis.b{4 << level}.torgb", f"synthesis.to_rgbs.{level}"
        state[f"{ours}.conv.weight"] = named.take(f"{theirs}.weight", (3, inputs, 1, 1))
        state |= _affine(named, f"{theirs}.affine", ours, inputs, width)
        state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (3,))
    check_filters(named.drop(r".*\.resample_filter"), part.what)
    named.finish()
    return build_generator(config, state, mean)


def _affine(named: NamedTensors, theirs: str, ours: str, inputs: int, width: int) -> dict[str, Tensor]:
    return {
        f"{ours}.conv.style.weight": named.take(f"{theirs}.weight", (inputs, width)),
        f"{ours}.conv.style.bias": named.take(f"{theirs}.bias", (inputs,)),
    }


FAMILY = GeneratorFamily(
    label="StyleGAN2-ADA, NVIDIA",
    licence="NVIDIA's own weights come under its Source Code License: no commercial use",
    marks=(("mapping.fc0.weight", "synthesis.b4.const"),),
    config=generator_config,
    build=build,
)
