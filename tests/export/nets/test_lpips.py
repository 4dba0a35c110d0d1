"""LPIPS as a network to serve: its graph, its gradient, its shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.onnx import export_module
from relatent_export.compile.precision import Precision, in_precision
from relatent_export.compile.step import state_shapes, trace_step
from relatent_export.families import perceptual
from relatent_export.families.family import Part
from relatent_export.nets.lpips import Lpips, LpipsConfig, Stack
from relatent_export.nets.perceptual import FeatureNetwork, perceptual_distance, resized_masks
from tests.export.running import Arrays, run
from tests.fixtures.checkpoints.perceptual import (
    ALEXNET_COMPARED,
    alexnet_tensors,
    idinvert_vgg16_tensors,
    lpips_tensors,
    vgg16_tensors,
)


def build(*files: dict[str, Tensor]) -> Lpips:
    return perceptual.build([Part("file", tensors) for tensors in files])


NETWORKS: dict[str, tuple[Lpips, int]] = {
    "VGG16": (build(vgg16_tensors(), lpips_tensors()), 36),
    "VGG16, not calibrated": (build(vgg16_tensors()), 32),
    "Keras's VGG16": (build(idinvert_vgg16_tensors()), 32),
    "AlexNet": (build(alexnet_tensors(), lpips_tensors(ALEXNET_COMPARED)), 64),
}
"""Networks and the sides of images to compare with them: in some maps, pools leave a pixel over."""

STEPS = 3


class Look:
    """How different an image looks from a target, where a mask allows."""

    def __init__(self, network: FeatureNetwork, side: int) -> None:
        self.network, self.side = network, side
        self.variables: Mapping[str, tuple[int, ...]] = {"image": (3, side, side)}
        self.carried: Mapping[str, tuple[int, ...]] = {}
        self.weights: Mapping[str, float] = {"look": 1.0}
        self.conditions: Mapping[str, Condition] = {
            "target": Condition(torch.uint8, (side, side, 3)),
            "mask": Condition(torch.uint8, (side, side)),
            "weight.look": Condition(torch.float32, (1,)),
        }

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        target = conditions["target"].permute(0, 3, 1, 2).float() / 127.5 - 1
        mask = conditions["mask"][:, None].float() / 255
        masks = resized_masks(mask, self.network.map_sizes(self.side))
        return {
            **{f"mask.{i}": mask for i, mask in enumerate(masks)},
            **{f"feature.{i}": feature for i, feature in enumerate(self.network.compared(target))},
        }

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        maps = self.network.compared(variables["image"])
        features = [prepared[f"feature.{i}"] for i in range(len(maps))]
        masks = [prepared[f"mask.{i}"] for i in range(len(maps))]
        distance = perceptual_distance(maps, features, masks, self.network.divisor)
        return conditions["weight.look"][:, 0] * distance


def images(batch: int, side: int, seed: int = 0) -> Tensor:
    return torch.rand(batch, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def refinement_feed(objective: Look, batch: int, steps: int) -> Arrays:
    random, side = np.random.default_rng(1), objective.side
    feed: Arrays = {
        "target": random.integers(0, 256, (batch, side, side, 3), dtype=np.uint8),
        "mask": random.integers(0, 256, (batch, side, side), dtype=np.uint8),
        "weight.look": np.full((batch, 1), 2.0, np.float32),
        "steps": np.full((batch, 1), steps, np.int32),
        "learning_rate": np.full((batch, 1), 0.002, np.float32),
    }
    for name, shape in state_shapes(objective, {}).items():
        fill = np.inf if name == "best_loss" else 0.0
        started = name in ("image", "best_image")
        feed[f"state.{name}"] = (
            images(batch, side).numpy() if started else np.full((batch, *shape), fill, np.float32)
        )
    return feed


@pytest.fixture(scope="module", params=["VGG16", "AlexNet"])
def refinement(request: pytest.FixtureRequest) -> tuple[Look, onnxruntime.InferenceSession]:
    """An objective, and a graph that lowers it."""
    objective = Look(*NETWORKS[request.param])
    model = assemble(trace_step(objective, {}), STEPS, Iterate.LOOP)
    return objective, onnxruntime.InferenceSession(model.SerializeToString())


def test_the_traced_gradient_is_that_of_autograd(
    refinement: tuple[Look, onnxruntime.InferenceSession],
) -> None:
    objective, session = refinement
    feed = refinement_feed(objective, 3, 1)
    answer = run(session, feed)
    conditions = {name: torch.from_numpy(value) for name, value in feed.items()}
    image = conditions["state.image"].clone().requires_grad_()
    prepared = objective.prepare(conditions)
    losses = objective.losses({"image": image}, {}, conditions, prepared)
    (gradient,) = torch.autograd.grad(losses.sum(), image)
    # Adam's first moment after one step is a tenth of the gradient.
    error = np.abs(answer["next.image.m"] * 10 - gradient.numpy()).max()
    assert error < 1e-4 * float(gradient.abs().max())
    np.testing.assert_allclose(answer["losses"][:, 0], losses.detach().numpy(), rtol=1e-5)


def test_a_refinement_descends_and_is_the_same_alone_and_in_company(
    refinement: tuple[Look, onnxruntime.InferenceSession],
) -> None:
    objective, session = refinement
    feed = refinement_feed(objective, 5, STEPS)
    together = run(session, feed)
    assert (together["losses"][:, -1] < together["losses"][:, 0]).all()
    for i in range(5):
        alone = run(session, {name: value[i : i + 1] for name, value in feed.items()})
        np.testing.assert_array_equal(alone["next.image"], together["next.image"][i : i + 1])
        np.testing.assert_array_equal(alone["losses"], together["losses"][i : i + 1])


@pytest.mark.parametrize("name", ["VGG16", "AlexNet"])
def test_the_distance_exports_for_any_batch(name: str) -> None:
    network, side = NETWORKS[name]
    one, other = images(5, side), images(5, side, seed=1)
    model = export_module(network, [one[:2], other[:2]], ["image", "other"], ["distance"])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    expected = network(one, other).numpy()
    for batch in (1, 5):
        feed = {"image": one[:batch].numpy(), "other": other[:batch].numpy()}
        (distance,) = session.run(["distance"], feed)
        np.testing.assert_allclose(distance, expected[:batch], rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_looks_like_itself_and_the_farther_the_less(name: str) -> None:
    network, side = NETWORKS[name]
    image, noise = images(2, side), images(2, side, seed=1)
    distances = [network(image, image + share * noise) for share in (0.0, 0.1, 0.4)]
    assert torch.equal(distances[0], torch.zeros(2))
    assert bool((distances[0] < distances[1]).all() and (distances[1] < distances[2]).all())


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_stays_near_full_precision(name: str) -> None:
    network, side = NETWORKS[name]
    half = in_precision(network, Precision.FLOAT16)
    one, other = images(2, side), images(2, side, seed=1)
    assert half.features(one)[0].dtype is torch.float16
    distance = half(one, other)
    assert distance.dtype is torch.float32
    error = float(((distance - network(one, other)) / network(one, other)).abs().max())
    assert 0 < error < 0.02


def test_the_gradient_is_finite_where_no_feature_is_active() -> None:
    network = Lpips(LpipsConfig(Stack.VGG16, (4,) * 13))
    for parameter in network.parameters():
        torch.nn.init.constant_(parameter, -1.0 if parameter.ndim == 1 else 0.0)
    for weight in network.linear:
        torch.nn.init.ones_(weight)
    image = images(1, 16).requires_grad_()
    assert all(float(x.detach().abs().max()) == 0 for x in network.features(image))
    (gradient,) = torch.autograd.grad(network(image, images(1, 16, seed=1)).sum(), image)
    assert torch.equal(gradient, torch.zeros_like(gradient))


def test_a_shape_goes_through_json() -> None:
    for network, _ in NETWORKS.values():
        config = LpipsConfig(**json.loads(json.dumps(asdict(network.config))))
        assert config == network.config
        again = Lpips(config)
        again.load_state_dict(network.state_dict())
        assert torch.equal(again(images(1, 64), images(1, 64, 1)), network(images(1, 64), images(1, 64, 1)))


def test_impossible_shapes_and_images_too_small_are_refused() -> None:
    config = NETWORKS["AlexNet"][0].config
    with pytest.raises(ValueError, match="channels: expected 5 counts for alexnet, got 4"):
        replace(config, channels=(4, 4, 4, 4))
    with pytest.raises(ValueError, match="'vgg11' is not a valid Stack"):
        LpipsConfig("vgg11", (4, 4))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="images of 15 pixels on a side are too small for vgg16"):
        NETWORKS["VGG16"][0].map_sizes(15)
    with pytest.raises(ValueError, match="images of 30 pixels on a side are too small for alexnet"):
        NETWORKS["AlexNet"][0].map_sizes(30)
    assert NETWORKS["VGG16"][0].map_sizes(256) == (256, 128, 64, 32, 16)
    assert NETWORKS["AlexNet"][0].map_sizes(256) == (63, 31, 15, 15, 15)
