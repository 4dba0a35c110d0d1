"""Small networks and an objective that compute in either precision, and a step of theirs run by PyTorch.

Half precision is computed as such, in real half tensors: ONNX Runtime would use float32 on processors.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.precision import Precision, in_precision
from relatent_export.compile.step import OptimizerStep, with_gradient
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.modulation import ModulatedConv
from relatent_export.nets.perceptual import perceptual_distance
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig

SIDE, BATCH, RATE = 16, 2, 0.1
CONFIG = GeneratorConfig(SIDE, latent_width=8, mapping_layers=2, channels=(12, 12, 8), noise=True)
HALF = Precision.FLOAT16


def random_generator() -> Generator:
    """With noise and biases."""
    torch.manual_seed(0)
    generator = Generator(CONFIG)
    with torch.no_grad():
        for layer in generator.synthesis.layers:
            layer.get_parameter("noise_strength").fill_(0.1)
            layer.get_parameter("bias").normal_(std=0.1)
    return generator.requires_grad_(False)


def random_network() -> AttributeNetwork:
    """Whose features are compared."""
    torch.manual_seed(1)
    return AttributeNetwork(3, SIDE, channels=(8, 8, 8, 8, 8)).requires_grad_(False)


def random_codes() -> Tensor:
    """[B, L, D]."""
    random = torch.Generator().manual_seed(2)
    return torch.randn(BATCH, CONFIG.layers, CONFIG.latent_width, generator=random)


def relative(ours: Tensor, expected: Tensor) -> float:
    return float((ours - expected).norm() / expected.norm())


def scaled(generator: Generator, factors: Tensor) -> Generator:
    """A generator whose layers' styles are some factor of those they were, alike for all or not."""
    copied = Generator(CONFIG)
    copied.load_state_dict(generator.state_dict())
    for module in copied.modules():
        if isinstance(module, ModulatedConv):
            factor = factors if factors.ndim == 0 else factors[: len(module.style.bias)]
            module.style.weight.data *= factor if factors.ndim == 0 else factor[:, None]
            module.style.bias.data *= factor
    return copied.requires_grad_(False)


class Match(nn.Module):
    """Pixels and features towards a target's, computed in a precision."""

    weights: Mapping[str, float] = {"pixel": 1.0, "perceptual": 0.1}
    variables: Mapping[str, tuple[int, ...]] = {"w": (CONFIG.layers, CONFIG.latent_width)}
    carried: Mapping[str, tuple[int, ...]] = {}
    conditions: Mapping[str, Condition] = {
        "target": Condition(torch.uint8, (SIDE, SIDE, 3)),
        **{f"weight.{name}": Condition(torch.float32, (1,)) for name in weights},
    }

    def __init__(self, generator: Generator, network: AttributeNetwork, precision: Precision) -> None:
        super().__init__()
        self.synthesis = partial(generator.synthesis, dtype=precision.dtype)
        self.network = in_precision(network, precision)

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        image = conditions["target"].permute(0, 3, 1, 2).float() / 127.5 - 1
        return {"image": image, **{f"{i}": map_ for i, map_ in enumerate(self._features(image))}}

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        image = self.synthesis(variables["w"])
        error, features = image - prepared["image"], self._features(image)
        distance = perceptual_distance(features, [prepared[f"{i}"] for i in range(len(features))])
        pixel = (error * error).mean((1, 2, 3)) / 4
        weight = {name: conditions[f"weight.{name}"][:, 0] for name in self.weights}
        total: Tensor = weight["pixel"] * pixel + weight["perceptual"] * distance
        return total

    def _features(self, image: Tensor) -> list[Tensor]:
        return self.network.compared(image)


def example(
    step: OptimizerStep, objective: Match, start: Tensor, target: Tensor, **weights: float
) -> Tensors:
    """The inputs of a refinement's first step."""
    values: dict[str, Tensor] = {
        "iteration": torch.tensor(0),
        "steps": torch.ones(BATCH, 1, dtype=torch.int32),
        "learning_rate": torch.full((BATCH, 1), RATE),
    }
    for name, shape in step.shapes.items():
        fill = torch.inf if name == "best_loss" else 0.0
        values[f"state.{name}"] = (
            start.clone() if name in ("w", "best_w") else torch.full((BATCH, *shape), fill)
        )
    for name, weight in {**objective.weights, **weights}.items():
        values[f"weight.{name}"] = torch.full((BATCH, 1), weight)
    return values | {f"prepared.{n}": value for n, value in objective.prepare({"target": target}).items()}


class Run:
    """A traced step, run by PyTorch itself."""

    def __init__(
        self, generator: Generator, network: AttributeNetwork, precision: Precision, scale: float
    ) -> None:
        self.objective = Match(generator, network, precision)
        blank = torch.zeros(BATCH, SIDE, SIDE, 3, dtype=torch.uint8)
        prepared = self.objective.prepare({"target": blank})
        self.step = OptimizerStep(self.objective, {}, tuple(prepared), scale)
        start = torch.randn(BATCH, CONFIG.layers, CONFIG.latent_width)
        given = example(self.step, self.objective, start, blank)
        self.traced = with_gradient(self.step, [given[name] for name in self.step.inputs])

    def refine(self, start: Tensor, target: Tensor, steps: int, **weights: float) -> tuple[Tensors, Tensor]:
        """The state after some steps, and the losses before each, [B, steps]."""
        values = dict(example(self.step, self.objective, start, target, **weights))
        losses = []
        for _ in range(steps):
            *state, loss = self.traced(*(values[name] for name in self.step.inputs))
            values |= {f"state.{name}": value for name, value in zip(self.step.state, state, strict=True)}
            losses.append(loss)
        return values, torch.stack(losses, 1)

    def gradient(self, start: Tensor, target: Tensor, **weights: float) -> Tensor:
        """The first gradient: Adam's first moment after one step is a tenth of it."""
        return self.refine(start, target, 1, **weights)[0]["state.w.m"] * 10
