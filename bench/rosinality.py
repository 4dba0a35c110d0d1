"""A StyleGAN2 of ours, written as rosinality's code would have saved it, for `relatent-export import`."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from relatent_export.nets.modulation import ModulatedConv, SynthesisLayer, ToRGB
from relatent_export.nets.stylegan2 import Generator


def save_checkpoint(generator: Generator, path: Path) -> None:
    """Write `g_ema` and `latent_avg`."""
    tensors: dict[str, Tensor] = {"input.input": generator.synthesis.const}
    for i, layer in enumerate(generator.mapping.layers, start=1):
        tensors[f"style.{i}.weight"] = layer.get_parameter("weight")
        tensors[f"style.{i}.bias"] = layer.get_parameter("bias")
    for i, layer in enumerate(generator.synthesis.layers):
        name, side = "conv1" if i == 0 else f"convs.{i - 1}", generator.synthesis.layer_shape(i)[1]
        tensors |= _layer(cast(SynthesisLayer, layer), name, f"noises.noise_{i}", side)
    for i, to_rgb in enumerate(generator.synthesis.to_rgbs):
        tensors |= _to_rgb(cast(ToRGB, to_rgb), "to_rgb1" if i == 0 else f"to_rgbs.{i - 1}")
    state = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    torch.save({"g_ema": state, "latent_avg": generator.mapping.mean.clone()}, path)


def _layer(layer: SynthesisLayer, name: str, noises: str, side: int) -> dict[str, Tensor]:
    strength = layer.noise_strength
    noise = torch.zeros(1, 1, side, side) if strength is None else layer.noise.reshape(1, 1, side, side)
    return {
        **_convolution(layer.conv, name),
        f"{name}.noise.weight": torch.zeros(1) if strength is None else strength.reshape(1),
        f"{name}.activate.bias": layer.bias,
        noises: noise,
    }


def _to_rgb(layer: ToRGB, name: str) -> dict[str, Tensor]:
    return {**_convolution(layer.conv, name), f"{name}.bias": layer.bias.reshape(1, 3, 1, 1)}


def _convolution(conv: ModulatedConv, name: str) -> dict[str, Tensor]:
    return {
        f"{name}.conv.weight": conv.weight[None],
        f"{name}.conv.modulation.weight": conv.style.weight,
        f"{name}.conv.modulation.bias": conv.style.bias,
    }
