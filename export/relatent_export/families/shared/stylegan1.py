"""StyleGAN1 generators as the genforce group published them: in-domain inversion's, and genforce's own.

Both ports compute the same and name the same weights differently. The factors of their equalised
learning rates are multiplied into the weights here; channels and resolution are read off the shapes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.families.family import Part, Tensors
from relatent_export.families.shared.mean_latent import estimated_mean
from relatent_export.families.shared.named_tensors import NamedTensors, check_to_rgb, refuse_classes
from relatent_export.nets.assigning import assign
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config, blur_kernel

_MAPPING_RATE = 0.01
"""Learning rate multiplier of every published mapping network; no file holds it."""

_GAIN = math.sqrt(2)


@dataclass(frozen=True)
class Spelling:
    """How a port names a layer's tensors, after the layer's own name.

    Attributes:
        dense: weight and bias of a layer of the mapping network.
        convolution: weight of a convolution that does not double the resolution.
        doubling: takes the weight of one that does. Given the tensors, the layer's name, its channels (O, I)
            and the resolution it comes to; gives what acts after nearest neighbours, [O, I, 3, 3].
        epilogue: what the names of noise and bias begin with.
        style: weight and bias of the layer that gives the style.
        to_rgb: weight and bias of the layer to RGB.
    """

    dense: tuple[str, str]
    convolution: str
    doubling: Callable[[NamedTensors, str, tuple[int, int], int], Tensor]
    epilogue: str
    style: tuple[str, str]
    to_rgb: tuple[str, str]


def read_config(part: Part, spelling: Spelling, *, tanh: bool) -> StyleGAN1Config:
    """Read the shape of a generator off its tensors.

    Raises:
        DamagedFile: a tensor is missing.
        UnsupportedFile: it is class-conditional, or does not draw in three colours.
    """
    tensors, what = part.tensors, part.what
    named = NamedTensors(tensors, what)
    refuse_classes(named, what)
    dense = [named.shape(f"mapping.dense0.{spelling.dense[0]}")]
    while f"mapping.dense{len(dense)}.{spelling.dense[0]}" in named:
        dense.append(named.shape(f"mapping.dense{len(dense)}.{spelling.dense[0]}"))
    channels = [named.shape("synthesis.layer0.const")[1]]
    while f"synthesis.layer{2 * len(channels) + 1}.{spelling.convolution}" in named:
        channels.append(named.shape(f"synthesis.layer{2 * len(channels) + 1}.{spelling.convolution}")[0])
    check_to_rgb(named.shape(f"synthesis.output{len(channels) - 1}.{spelling.to_rgb[1]}"), what)
    width = named.shape(f"synthesis.layer0.{spelling.style[0]}")[1]
    reached = tensors.get("truncation.truncation", torch.ones(1)).flatten() != 1
    return StyleGAN1Config(
        resolution=4 << (len(channels) - 1),
        latent_width=width,
        z_width=dense[0][1],
        mapping_layers=len(dense),
        mapping_width=dense[-1][1],
        channels=tuple(channels),
        shared=dense[-1][0] == width,
        tanh=tanh,
        truncated=int(reached.sum()),
    )


def build_generator(part: Part, spelling: Spelling, config: StyleGAN1Config) -> StyleGAN1:
    """Build a generator of a shape that was read off the same tensors.

    Raises:
        DamagedFile: a tensor is missing, has another shape, or is unknown.
        UnsupportedFile: training had not reached full resolution, or a blur kernel is not the family's.
    """
    named, what = NamedTensors(part.tensors, part.what), part.what
    state = _mapping(named, spelling, config)
    state |= _synthesis(named, spelling, config)
    mean = _mean(named, config)
    _check_detail(named.drop(r"synthesis\.lod"), what)
    _check_blurs(named.drop(r"synthesis\.layer\d+\.blur\.kernel"), what)
    named.drop(r"synthesis\.output\d+\..*")  # coarser levels' layers to RGB, which only training shows
    named.drop(r"truncation\.truncation")
    named.finish()
    generator = StyleGAN1(config)
    assign(generator, {**state, "mapping.mean": mean})
    if not bool(mean.any()):  # as it was initialised: nobody has measured it
        generator.mapping.mean = estimated_mean(generator.mapping, config.z_width)
    return generator


def _mapping(named: NamedTensors, spelling: Spelling, config: StyleGAN1Config) -> dict[str, Tensor]:
    state = {}
    codes = 1 if config.shared else config.layers
    weight, bias = spelling.dense
    for i in range(config.mapping_layers):
        inputs = config.z_width if i == 0 else config.mapping_width
        last = i == config.mapping_layers - 1
        outputs = codes * config.latent_width if last else config.mapping_width
        scale = _MAPPING_RATE * _GAIN / math.sqrt(inputs)
        state[f"mapping.layers.{i}.weight"] = (
            named.take(f"mapping.dense{i}.{weight}", (outputs, inputs)) * scale
        )
        state[f"mapping.layers.{i}.bias"] = named.take(f"mapping.dense{i}.{bias}", (outputs,)) * _MAPPING_RATE
    return state


def _synthesis(named: NamedTensors, spelling: Spelling, config: StyleGAN1Config) -> dict[str, Tensor]:
    channels = config.channels
    state = {"synthesis.const": named.take("synthesis.layer0.const", (1, channels[0], 4, 4))}
    for k in range(config.layers):
        theirs, ours, resolution = f"synthesis.layer{k}", f"synthesis.layers.{k}", 4 << (k // 2)
        outputs = channels[k // 2]
        if k > 0:
            inputs = channels[(k - 1) // 2]
            if k % 2 == 0:
                weight = spelling.doubling(named, theirs, (outputs, inputs), resolution)
            else:
                weight = named.take(f"{theirs}.{spelling.convolution}", (outputs, inputs, 3, 3))
            state[f"{ours}.weight"] = weight * (_GAIN / math.sqrt(9 * inputs))
        before = f"{theirs}.{spelling.epilogue}"
        state[f"{ours}.noise"] = named.take(f"{before}apply_noise.noise", (1, 1, resolution, resolution))
        state[f"{ours}.noise_strength"] = named.take(f"{before}apply_noise.weight", (outputs,))
        state[f"{ours}.bias"] = named.take(f"{before}bias", (outputs,))
        state |= _style(named, theirs, ours, spelling.style, (2 * outputs, config.latent_width))
    last = f"synthesis.output{len(channels) - 1}"
    to_rgb = named.take(f"{last}.{spelling.to_rgb[0]}", (3, channels[-1], 1, 1))
    state["synthesis.to_rgb.weight"] = to_rgb / math.sqrt(channels[-1])
    state["synthesis.to_rgb.bias"] = named.take(f"{last}.{spelling.to_rgb[1]}", (3,))
    return state


def _style(
    named: NamedTensors, theirs: str, ours: str, names: tuple[str, str], shape: tuple[int, int]
) -> dict[str, Tensor]:
    weight = named.take(f"{theirs}.{names[0]}", shape) / math.sqrt(shape[1])
    # Published as a scale of 1 + s: the one joins the bias of the scales, which are the first half.
    bias = named.take(f"{theirs}.{names[1]}", shape[:1]) + (torch.arange(shape[0]) < shape[0] // 2)
    return {f"{ours}.style.weight": weight, f"{ours}.style.bias": bias}


def _mean(named: NamedTensors, config: StyleGAN1Config) -> Tensor:
    """The file's mean latent, one a layer; zeros if it has none."""
    layers, width = config.layers, config.latent_width
    if "truncation.w_avg" not in named:
        return torch.zeros(layers, width)
    if named.shape("truncation.w_avg") == (layers * width,):
        return named.take("truncation.w_avg", (layers * width,)).reshape(layers, width)
    return named.take("truncation.w_avg", (width,)).repeat(layers, 1)


def _check_detail(found: Tensors, what: str) -> None:
    """The level of detail is 0 once training has reached full resolution, and the network is then fixed."""
    for name, value in found.items():
        if float(value) != 0:
            raise UnsupportedFile(
                f"{what}: {name}: expected 0, got {float(value):g}: training had not reached full resolution"
            )


def _check_blurs(kernels: Tensors, what: str) -> None:
    """Blur kernels are constants of the family, and dropped; another one would be another network."""
    for name, kernel in kernels.items():
        expected = blur_kernel(len(kernel))
        if kernel.shape != expected.shape or not torch.allclose(kernel.float(), expected, atol=1e-5):
            raise UnsupportedFile(f"{what}: {name}: expected the filter [1, 2, 1], got another one")
