"""StyleGAN1 as a network to serve: its graphs, its gradient, its truncation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.onnx import export_module
from relatent_export.compile.step import state_shapes, trace_step
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from tests.export.running import Arrays, run

CONFIG = StyleGAN1Config(
    resolution=8,
    latent_width=6,
    z_width=5,
    mapping_layers=3,
    mapping_width=7,
    channels=(8, 6),
    shared=False,
    tanh=True,
    truncated=3,
)
STEPS = 3


def network(config: StyleGAN1Config = CONFIG) -> StyleGAN1:
    """Random weights, with a mean latent, noise and biases that are not zero."""
    torch.manual_seed(0)
    generator = StyleGAN1(config)
    generator.mapping.mean.normal_()
    with torch.no_grad():
        for layer in generator.synthesis.layers:
            layer.get_parameter("noise_strength").normal_(std=0.3)
            layer.get_parameter("bias").normal_(std=0.3)
            layer.get_parameter("style.weight").normal_(std=0.4)
    return generator.eval().requires_grad_(False)


class Codes(nn.Module):
    def __init__(self, generator: StyleGAN1) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor, psi: Tensor) -> Tensor:
        return self.generator.codes(z, psi)


class Reconstruct:
    """A target's pixels, and not far from the start."""

    variables: Mapping[str, tuple[int, ...]] = {"w": (CONFIG.layers, CONFIG.latent_width)}
    carried: Mapping[str, tuple[int, ...]] = {"anchor": (CONFIG.layers, CONFIG.latent_width)}
    weights: Mapping[str, float] = {"anchor": 0.01}
    conditions: Mapping[str, Condition] = {
        "target": Condition(torch.uint8, (CONFIG.resolution, CONFIG.resolution, 3)),
        "weight.anchor": Condition(torch.float32, (1,)),
    }

    def __init__(self, generator: StyleGAN1) -> None:
        self.synthesis = generator.synthesis

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        return {"image": conditions["target"].permute(0, 3, 1, 2).float() / 127.5 - 1}

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        error = self.synthesis(variables["w"]) - prepared["image"]
        moved = variables["w"] - carried["anchor"]
        pixel = (error * error).mean((1, 2, 3))
        return pixel + conditions["weight.anchor"][:, 0] * (moved * moved).mean((1, 2))


@pytest.fixture(scope="module")
def refinement() -> onnxruntime.InferenceSession:
    model = assemble(trace_step(Reconstruct(network()), {}), STEPS, Iterate.LOOP)
    return onnxruntime.InferenceSession(model.SerializeToString())


def refinement_feed(batch: int, steps: int) -> Arrays:
    random = np.random.default_rng(1)
    objective = Reconstruct(network())
    codes = random.standard_normal((batch, CONFIG.layers, CONFIG.latent_width), dtype=np.float32)
    feed: Arrays = {
        "target": random.integers(0, 256, (batch, CONFIG.resolution, CONFIG.resolution, 3), dtype=np.uint8),
        "weight.anchor": np.full((batch, 1), 0.1, np.float32),
        "steps": np.full((batch, 1), steps, np.int32),
        "learning_rate": np.full((batch, 1), 0.02, np.float32),
    }
    for name, shape in state_shapes(objective, {}).items():
        fill = np.inf if name == "best_loss" else 0.0
        started = name in ("w", "best_w", "anchor")
        feed[f"state.{name}"] = codes if started else np.full((batch, *shape), fill, np.float32)
    return feed


def test_the_traced_gradient_is_that_of_autograd(refinement: onnxruntime.InferenceSession) -> None:
    feed = refinement_feed(4, 1)
    answer = run(refinement, feed)
    objective = Reconstruct(network())
    conditions = {name: torch.from_numpy(value) for name, value in feed.items()}
    w = conditions["state.w"].clone().requires_grad_()
    prepared = objective.prepare(conditions)
    losses = objective.losses({"w": w}, {"anchor": conditions["state.anchor"]}, conditions, prepared)
    (gradient,) = torch.autograd.grad(losses.sum(), w)
    # Adam's first moment after one step is a tenth of the gradient.
    error = np.abs(answer["next.w.m"] * 10 - gradient.numpy()).max()
    assert error < 2e-5 * float(gradient.abs().max())
    np.testing.assert_allclose(answer["losses"][:, 0], losses.detach().numpy(), rtol=1e-5)


def test_a_refinement_descends_and_is_the_same_alone_and_in_company(
    refinement: onnxruntime.InferenceSession,
) -> None:
    feed = refinement_feed(4, STEPS)
    together = run(refinement, feed)
    assert (together["losses"][:, -1] < together["losses"][:, 0]).all()
    for i in range(4):
        alone = run(refinement, {name: value[i : i + 1] for name, value in feed.items()})
        np.testing.assert_array_equal(alone["next.w"], together["next.w"][i : i + 1])
        np.testing.assert_array_equal(alone["losses"], together["losses"][i : i + 1])


def test_synthesis_exports_for_any_batch_and_samples_do_not_see_each_other() -> None:
    synthesis = network().synthesis
    w = torch.randn(5, CONFIG.layers, CONFIG.latent_width)
    model = export_module(synthesis, [w[:2]], ["w"], ["image"])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (image,) = session.run(["image"], {"w": w.numpy()})
    np.testing.assert_allclose(image, synthesis(w).numpy(), atol=2e-5)
    for i in range(5):
        (alone,) = session.run(["image"], {"w": w[i : i + 1].numpy()})
        np.testing.assert_array_equal(alone, image[i : i + 1])


@pytest.mark.parametrize("shared", [False, True])
def test_truncated_codes_export_for_any_batch(shared: bool) -> None:
    generator = network(replace(CONFIG, shared=shared))
    z, psi = torch.randn(3, CONFIG.z_width), torch.tensor([[0.0], [0.5], [1.0]])
    model = export_module(Codes(generator), [z[:2], psi[:2]], ["z", "psi"], ["w"])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    for batch in (1, 3):
        (w,) = session.run(["w"], {"z": z[:batch].numpy(), "psi": psi[:batch].numpy()})
        np.testing.assert_allclose(w, generator.codes(z[:batch], psi[:batch]).numpy(), atol=1e-5)


def test_truncation_pulls_the_rows_it_reaches_and_leaves_the_others() -> None:
    generator = network()
    z = torch.randn(2, CONFIG.z_width)
    free, pulled = generator.codes(z, 1.0), generator.codes(z, torch.tensor([[0.0], [0.5]]))
    mean, reached = generator.mean_code(), CONFIG.truncated
    assert mean.shape == (CONFIG.layers, CONFIG.latent_width)
    assert torch.equal(pulled[:, reached:], free[:, reached:])
    assert torch.allclose(pulled[0, :reached], mean[:reached])
    assert torch.allclose(pulled[1, :reached], (mean[:reached] + free[1, :reached]) / 2, atol=1e-6)


def test_truncation_reaches_every_row_unless_told_otherwise() -> None:
    generator = network(replace(CONFIG, truncated=0))
    assert generator.config.truncated == CONFIG.layers
    codes = generator.codes(torch.randn(2, CONFIG.z_width), 0.0)
    assert torch.allclose(codes, generator.mean_code().expand(2, -1, -1))


def test_a_tanh_keeps_images_between_minus_one_and_one() -> None:
    w = 20 * torch.randn(2, CONFIG.layers, CONFIG.latent_width)
    inside, outside = network(), network(replace(CONFIG, tanh=False))
    assert float(outside.synthesis(w).abs().max()) > 1
    assert torch.equal(inside.synthesis(w), torch.tanh(outside.synthesis(w)))


def test_half_precision_convolutions_stay_near_full_precision() -> None:
    synthesis = network().synthesis
    w = torch.randn(2, CONFIG.layers, CONFIG.latent_width)
    image = synthesis(w, torch.bfloat16)
    assert image.dtype is torch.float32
    assert 0 < float((image - synthesis(w)).abs().mean()) < 0.03


def test_a_shape_goes_through_json() -> None:
    fields = json.loads(json.dumps(asdict(CONFIG)))
    assert StyleGAN1Config(**{**fields, "channels": tuple(fields["channels"])}) == CONFIG


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 24}, "resolution: expected a power of two from 8, got 24"),
        ({"channels": (8,)}, "channels: expected 2 counts, got 1"),
        ({"truncated": 5}, "truncated: expected 1 to 4 layers, got 5"),
    ],
)
def test_a_generator_of_impossible_shape_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(CONFIG, **change)  # type: ignore[arg-type]
