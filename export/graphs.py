"""The six graphs of a pack: what each computes, and its export to ONNX.

Images go in and out as uint8 [B, H, W, 3]; conversion, clamping and layout are inside the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import onnx
import torch
from torch import Tensor, nn

from export.iterate import Iterate, assemble
from export.nets.attributes import normalize_features, perceptual_distance
from export.networks import Networks
from export.objectives.reconstruction import Reconstruction
from export.onnx_export import clean, export_module
from export.quality import mean_squared_error, psnr, ssim
from export.tracing import trace_step

MAX_STEPS = 10
"""K: steps of one refinement call. Ten lose nothing against one call a step, and let a caller
that hangs up, or a new one, wait for a fraction of a second."""


def to_float(image: Tensor) -> Tensor:
    """uint8 [B, H, W, 3] to float32 [B, 3, H, W] in [-1, 1]."""
    return image.permute(0, 3, 1, 2).float() / 127.5 - 1


def to_bytes(image: Tensor) -> Tensor:
    """float32 [B, 3, H, W] in [-1, 1] to uint8 [B, H, W, 3], clamped and rounded."""
    scaled = ((image.clamp(-1, 1) + 1) * 127.5).round()
    return scaled.to(torch.uint8).permute(0, 2, 3, 1)


class Encode(nn.Module):
    """image to w."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.encoder = networks.encoder

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [B, R, R, 3] to float32 [B, L, D]."""
        w: Tensor = self.encoder(to_float(image))
        return w


class Map(nn.Module):
    """z and psi to w, truncated, one row a layer."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.generator = networks.generator

    def forward(self, z: Tensor, psi: Tensor) -> Tensor:
        """float32 [B, Z] and [B, 1] to float32 [B, L, D]."""
        w = self.generator.truncate(self.generator.mapping(z), psi)
        # Repeating, not expanding: the graph's output must own its memory.
        return w[:, None, :].repeat(1, self.generator.config.layers, 1)


class Synthesize(nn.Module):
    """w to image."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.synthesis = networks.generator.synthesis

    def forward(self, w: Tensor) -> Tensor:
        """float32 [B, L, D] to uint8 [B, R, R, 3]."""
        return to_bytes(self.synthesis(w))


class Assess(nn.Module):
    """Two images to their distances."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.perceptual = networks.attributes

    def forward(self, image: Tensor, reference: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Two uint8 [B, R, R, 3] to MSE, PSNR, SSIM and perceptual distance, each [B, 1]."""
        a, b = to_float(image), to_float(reference)
        unit_a, unit_b = a * 0.5 + 0.5, b * 0.5 + 0.5
        mse = mean_squared_error(unit_a, unit_b)
        distance = perceptual_distance(
            normalize_features(self.perceptual.features(a)), normalize_features(self.perceptual.features(b))
        )
        similarity = ssim(unit_a, unit_b)
        return mse[:, None], psnr(mse)[:, None], similarity[:, None], distance[:, None]


class Attributes(nn.Module):
    """image to attributes."""

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        self.network = networks.attributes

    def forward(self, image: Tensor) -> Tensor:
        """uint8 [B, R, R, 3] to float32 [B, A]."""
        attributes: Tensor = self.network(to_float(image))
        return attributes


@dataclass(frozen=True)
class _Recipe:
    module: Callable[[Networks], nn.Module]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


_RECIPES = {
    "encode": _Recipe(Encode, ("image",), ("w",)),
    "map": _Recipe(Map, ("z", "psi"), ("w",)),
    "synthesize": _Recipe(Synthesize, ("w",), ("image",)),
    "assess": _Recipe(Assess, ("image", "reference"), ("mse", "psnr", "ssim", "perceptual")),
    "attributes": _Recipe(Attributes, ("image",), ("attributes",)),
}


def reconstruction_objective(networks: Networks) -> Reconstruction:
    """The pack's refinement objective."""
    config = networks.generator.config
    return Reconstruction(
        networks.generator.synthesis,
        networks.attributes,
        config.layers,
        config.latent_width,
        config.resolution,
    )


def build_graphs(
    networks: Networks, iterate: Iterate = Iterate.LOOP, max_steps: int = MAX_STEPS
) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Export a pack's graphs one after another.

    Yields:
        The graph's role (`encode`, `map`, `synthesize`, `assess`, `attributes`, `refine`) and the
        model, free of anything that names the machine it was made on.
    """
    examples = _examples(networks)
    for role, recipe in _RECIPES.items():
        inputs = [examples[name] for name in recipe.inputs]
        module = recipe.module(networks).eval()
        yield role, clean(export_module(module, inputs, list(recipe.inputs), list(recipe.outputs)))
    traced = trace_step(reconstruction_objective(networks), networks.bases)
    yield "refine", clean(assemble(traced, max_steps, iterate))


def _examples(networks: Networks) -> dict[str, Tensor]:
    config, random = networks.generator.config, torch.Generator().manual_seed(0)
    side, width = config.resolution, config.latent_width
    image = torch.randint(0, 256, (2, side, side, 3), generator=random, dtype=torch.uint8)
    return {
        "image": image,
        "reference": image.flip(0),
        "w": torch.randn(2, config.layers, width, generator=random),
        "z": torch.randn(2, width, generator=random),
        "psi": torch.full((2, 1), 0.7),
    }
