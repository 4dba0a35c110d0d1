"""The in-domain encoder as a network to serve: its graph, and its gradient in a domain loss."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from relatent_export.compile.loop import Iterate, assemble
from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.onnx import export_module
from relatent_export.compile.step import state_shapes, trace_step
from relatent_export.nets.indomain_encoder import InDomainConfig, InDomainEncoder
from tests.export.running import Arrays, run

CONFIG = InDomainConfig(resolution=16, layers=6, width=5, channels=(4, 8, 8))


def network() -> InDomainEncoder:
    torch.manual_seed(0)
    return InDomainEncoder(CONFIG).eval().requires_grad_(False)


class Domain:
    """How far an image's code is from a given one: what in-domain inversion regularises by."""

    variables: Mapping[str, tuple[int, ...]] = {"image": (3, 16, 16)}
    carried: Mapping[str, tuple[int, ...]] = {"code": (CONFIG.layers, CONFIG.width)}
    weights: Mapping[str, float] = {"domain": 1.0}
    conditions: Mapping[str, Condition] = {"weight.domain": Condition(torch.float32, (1,))}

    def __init__(self) -> None:
        self.encoder = network()

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        return {}

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        error = self.encoder(variables["image"]) - carried["code"]
        losses: Tensor = conditions["weight.domain"][:, 0] * (error * error).mean((1, 2))
        return losses


def test_it_exports_for_any_batch_and_samples_do_not_see_each_other() -> None:
    encoder = network()
    image = torch.rand(5, 3, 16, 16) * 2 - 1
    model = export_module(encoder, [image[:2]], ["image"], ["w"])
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (w,) = session.run(["w"], {"image": image.numpy()})
    assert w.shape == (5, CONFIG.layers, CONFIG.width)
    np.testing.assert_allclose(w, encoder(image).numpy(), atol=1e-5)
    for i in range(5):
        (alone,) = session.run(["w"], {"image": image[i : i + 1].numpy()})
        np.testing.assert_array_equal(alone, w[i : i + 1])


def test_the_traced_gradient_is_that_of_autograd() -> None:
    objective, random = Domain(), torch.Generator().manual_seed(2)
    image = torch.randn(3, 3, 16, 16, generator=random)
    code = torch.randn(3, CONFIG.layers, CONFIG.width, generator=random)
    model = assemble(trace_step(objective, {}), 1, Iterate.UNROLL)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feed: Arrays = {
        "weight.domain": np.full((3, 1), 2.0, np.float32),
        "steps": np.full((3, 1), 1, np.int32),
        "learning_rate": np.full((3, 1), 0.02, np.float32),
    }
    started = {"image": image, "best_image": image, "code": code}
    for name, shape in state_shapes(objective, {}).items():
        fill = np.inf if name == "best_loss" else 0.0
        value = started.get(name)
        feed[f"state.{name}"] = np.full((3, *shape), fill, np.float32) if value is None else value.numpy()
    answer = run(session, feed)
    x = image.clone().requires_grad_()
    conditions = {"weight.domain": torch.full((3, 1), 2.0)}
    losses = objective.losses({"image": x}, {"code": code}, conditions, {})
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    # Adam's first moment after one step is a tenth of the gradient.
    error = np.abs(answer["next.image.m"] * 10 - gradient.numpy()).max()
    assert error < 2e-5 * float(gradient.abs().max())


def test_a_shape_goes_through_json() -> None:
    fields = json.loads(json.dumps(asdict(CONFIG)))
    assert InDomainConfig(**{**fields, "channels": tuple(fields["channels"])}) == CONFIG
    assert network().resolution == 16


@pytest.mark.parametrize(
    ("resolution", "message"),
    [(24, "resolution: expected a power of two from 8, got 24"), (32, "channels: expected 4 counts, got 3")],
)
def test_an_encoder_of_impossible_shape_is_refused(resolution: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        InDomainConfig(resolution, 6, 5, (4, 8, 8))
