"""ReStyle's loop against its published equations, from published names."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from relatent_export.families.family import Part
from relatent_export.families.shared.gradual_style import build_encoder
from relatent_export.nets.restyle import ReStyleConfig, ReStyleEncoder
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from tests.export.nets import plain_encoders as plain
from tests.export.nets.exporting import assert_exports
from tests.fixtures.checkpoints.encoders import (
    UNITS,
    Tensors,
    ir_se_encoder_tensors,
    resnet_encoder_tensors,
)

TAPS = (2, 4, 5)


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Of 128 pixels, twice the encoders' 64: twelve rows of eight numbers."""
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(128, 8, 1, (4, 4, 4, 4, 4, 4)))
    return generator.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def mean() -> Tensor:
    return torch.randn(8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def image() -> Tensor:
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1


def backbone(tensors: Tensors, x: Tensor) -> Tensor:
    return plain.coarsest_rows(tensors, plain.ir_se_maps(tensors, UNITS, x))


def progressive(tensors: Tensors, x: Tensor) -> Tensor:
    return plain.from_first(backbone(tensors, x))


def resnet(tensors: Tensors, x: Tensor) -> Tensor:
    return plain.coarsest_rows(tensors, plain.resnet_maps(tensors, UNITS, x))


def resnet_progressive(tensors: Tensors, x: Tensor) -> Tensor:
    return plain.from_first(resnet(tensors, x))


def pyramid(tensors: Tensors, x: Tensor) -> Tensor:
    return plain.pyramid_rows(tensors, TAPS, plain.ir_se_maps(tensors, UNITS, x))


IR_SE = ir_se_encoder_tensors(12, channels=6, pyramid=False)
RESNET = resnet_encoder_tensors(12)


@pytest.mark.parametrize(
    ("kind", "tensors", "rows"),
    [
        ("BackboneEncoder", IR_SE, backbone),
        ("ProgressiveBackboneEncoder", IR_SE, progressive),
        ("ResNetBackboneEncoder", RESNET, resnet),
        ("ResNetProgressiveBackboneEncoder", RESNET, resnet_progressive),
        ("GradualStyleEncoder", ir_se_encoder_tensors(12, channels=6), pyramid),
    ],
)
@torch.no_grad()
def test_every_kind_runs_its_published_loop(
    kind: str, tensors: Tensors, rows: Callable[[Tensors, Tensor], Tensor], generator, mean, image
) -> None:
    network = build_encoder(
        Part("file", tensors, mean, {"encoder_type": kind, "n_iters_per_batch": 3}), generator
    )
    expected = plain.restyle(lambda x: rows(tensors, x), generator.synthesis, mean.expand(12, 8), image, 3)
    plain.assert_close(network(image, generator.synthesis), expected)


@torch.no_grad()
def test_five_passes_are_made_unless_the_options_say_otherwise(generator, mean, image) -> None:
    network = build_encoder(Part("file", IR_SE, mean, {"encoder_type": "BackboneEncoder"}), generator)
    seen = []

    def synthesis(w: Tensor) -> Tensor:
        seen.append(w)
        return generator.synthesis(w)

    network(image, synthesis)
    assert len(seen) == 4, "the first pass looks at the mean latent's image, made once"


@torch.no_grad()
def test_bars_of_cars_are_left_out_of_image_and_reconstruction(generator, mean, image) -> None:
    options = {"encoder_type": "BackboneEncoder", "dataset_type": "cars_encode", "n_iters_per_batch": 2}
    network = build_encoder(Part("file", IR_SE, mean, options), generator)
    rows = mean.expand(12, 8)
    expected = plain.restyle(lambda x: backbone(IR_SE, x[:, :, 8:56]), generator.synthesis, rows, image, 2)
    plain.assert_close(network(image, generator.synthesis), expected)


def test_the_loop_exports_for_any_batch(generator, mean, image) -> None:
    options = {"encoder_type": "ProgressiveBackboneEncoder", "n_iters_per_batch": 2}

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.generator = (
                build_encoder(Part("file", IR_SE, mean, options), generator),
                generator,
            )

        def forward(self, image: Tensor) -> Any:
            return self.encoder(image, self.generator.synthesis)

    assert_exports(Loop(), image)


@torch.no_grad()
def test_a_pack_can_rebuild_an_encoder_from_json_and_weights(generator, mean, image) -> None:
    network = build_encoder(Part("file", IR_SE, mean, {"encoder_type": "BackboneEncoder"}), generator)
    header = json.loads(json.dumps(asdict(network.config)))
    copy = ReStyleEncoder(ReStyleConfig(**header))
    copy.load_state_dict(network.state_dict())
    assert copy.config == network.config
    assert torch.equal(copy(image, generator.synthesis), network(image, generator.synthesis))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_channels": 3}, "image_channels: expected 6"),
        ({"iterations": 0}, "iterations: expected 1 or more, got 0"),
    ],
)
def test_a_loop_that_cannot_run_is_refused(change: dict[str, Any], message: str) -> None:
    shape: dict[str, Any] = {"channels": (4, 4, 6, 8, 10), "units": (1, 1, 1, 1), "reduction": 2}
    shape |= {"resolution": 64, "layers": 10, "latent_width": 8}
    with pytest.raises(ValueError, match=message):
        ReStyleConfig(**(shape | change))
