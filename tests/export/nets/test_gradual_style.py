"""The pSp family's encoders against their published equations, from published names."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from relatent_export.families.family import Part
from relatent_export.families.shared.gradual_style import build_encoder
from relatent_export.nets.gradual_style import GradualStyleConfig, GradualStyleEncoder, Reading
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from tests.export.nets import plain_encoders as plain
from tests.export.nets.exporting import assert_exports
from tests.fixtures.checkpoints.encoders import UNITS, ir_se_encoder_tensors, resnet_encoder_tensors

TAPS = (2, 4, 5)
"""Ends of the second, third and fourth stage."""


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Ten rows of eight numbers."""
    torch.manual_seed(0)
    return Generator(GeneratorConfig(64, 8, 1, (4, 4, 4, 4, 4)))


@pytest.fixture(scope="module")
def mean() -> torch.Tensor:
    return torch.randn(10, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1


@torch.no_grad()
def test_psp_reads_rows_from_three_levels_and_adds_the_mean(generator, mean, image) -> None:
    tensors = ir_se_encoder_tensors(10)
    network = build_encoder(Part("file", tensors, mean, {"encoder_type": "GradualStyleEncoder"}), generator)
    assert network.resolution == 64
    rows = plain.pyramid_rows(tensors, TAPS, plain.ir_se_maps(tensors, UNITS, image))
    plain.assert_close(network(image), rows + mean)


@torch.no_grad()
def test_e4e_adds_offsets_to_the_first_row(generator, mean, image) -> None:
    tensors = ir_se_encoder_tensors(10, seed=1)
    network = build_encoder(Part("file", tensors, mean, {"encoder_type": "Encoder4Editing"}), generator)
    rows = plain.pyramid_rows(tensors, TAPS, plain.ir_se_maps(tensors, UNITS, image))
    plain.assert_close(network(image), plain.from_first(rows) + mean)


@torch.no_grad()
def test_a_larger_image_has_deeper_heads(generator, mean) -> None:
    tensors = ir_se_encoder_tensors(10, resolution=128)
    network = build_encoder(Part("file", tensors, mean, {"encoder_type": "GradualStyleEncoder"}), generator)
    assert network.resolution == 128
    image = torch.randn(1, 3, 128, 128)
    rows = plain.pyramid_rows(tensors, TAPS, plain.ir_se_maps(tensors, UNITS, image))
    plain.assert_close(network(image), rows + mean)


@torch.no_grad()
def test_a_resnets_pyramid_is_read_alike(generator, mean, image) -> None:
    tensors = resnet_encoder_tensors(10, channels=3, pyramid=True)
    network = build_encoder(
        Part("file", tensors, mean, {"encoder_type": "ResNetGradualStyleEncoder"}), generator
    )
    rows = plain.pyramid_rows(tensors, TAPS, plain.resnet_maps(tensors, UNITS, image))
    plain.assert_close(network(image), rows + mean)


@torch.no_grad()
def test_an_encoder_into_w_gives_every_layer_the_pooled_row(generator, mean) -> None:
    tensors = ir_se_encoder_tensors(10, pooled=True)
    options = {"encoder_type": "WEncoder", "start_from_latent_avg": False}
    network = build_encoder(Part("file", tensors, mean[0], options), generator)
    assert network.resolution == 64, "the generator's, where that is below the published 256"
    image = torch.randn(2, 3, 64, 64)
    pooled = F.adaptive_avg_pool2d(plain.ir_se_maps(tensors, UNITS, image)[-1], 1)[:, :, 0, 0]
    row = plain.equalised(tensors, "linear", pooled) + mean[0]
    plain.assert_close(network(image), row[:, None].repeat(1, 10, 1))


@torch.no_grad()
def test_an_encoder_of_cars_leaves_out_the_bars(generator, mean, image) -> None:
    tensors = ir_se_encoder_tensors(10)
    options = {"encoder_type": "Encoder4Editing", "dataset_type": "cars_encode"}
    network = build_encoder(Part("file", tensors, mean, options), generator)
    maps = plain.ir_se_maps(tensors, UNITS, image[:, :, 8:56])
    rows = plain.from_first(plain.pyramid_rows(tensors, TAPS, maps))
    plain.assert_close(network(image), rows + mean)


@torch.no_grad()
def test_without_a_start_from_the_mean_none_is_added(generator, mean, image) -> None:
    tensors = ir_se_encoder_tensors(10)
    options = {"encoder_type": "GradualStyleEncoder", "start_from_latent_avg": False}
    network = build_encoder(Part("file", tensors, mean, options), generator)
    rows = plain.pyramid_rows(tensors, TAPS, plain.ir_se_maps(tensors, UNITS, image))
    plain.assert_close(network(image), rows)


def test_an_encoder_exports_for_any_batch(generator, mean, image) -> None:
    options = {"encoder_type": "Encoder4Editing"}
    assert_exports(build_encoder(Part("file", ir_se_encoder_tensors(10), mean, options), generator), image)


@torch.no_grad()
def test_a_pack_can_rebuild_an_encoder_from_json_and_weights(generator, mean, image) -> None:
    network = build_encoder(
        Part("file", ir_se_encoder_tensors(10), mean, {"encoder_type": "Encoder4Editing"}), generator
    )
    header = json.loads(json.dumps(asdict(network.config)))
    copy = GradualStyleEncoder(GradualStyleConfig(**header))
    copy.load_state_dict(network.state_dict())
    assert copy.config == network.config
    assert copy.config.reading is Reading.PYRAMID
    assert torch.equal(copy(image), network(image))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 48}, "resolution: expected a power of two from 16, got 48"),
        ({"resolution": 32, "letterboxed": True}, "resolution: expected 64 or more, letterboxed, got 32"),
        ({"reading": "sideways"}, "'sideways' is not a valid Reading"),
    ],
)
def test_an_encoder_of_impossible_shape_is_refused(change: dict[str, Any], message: str) -> None:
    shape: dict[str, Any] = {"channels": (4, 4, 6, 8, 10), "units": (1, 1, 1, 1), "reduction": 2}
    shape |= {"resolution": 64, "layers": 10, "latent_width": 8}
    with pytest.raises(ValueError, match=message):
        GradualStyleConfig(**(shape | change))
