"""The identity network against its published equations, from published names."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.families.arcface import build
from relatent_export.families.family import Part
from relatent_export.nets.arcface import ArcFace, ArcFaceConfig
from tests.export.nets.exporting import assert_exports
from tests.export.nets.plain_encoders import arcface, assert_close
from tests.fixtures.checkpoints.encoders import UNITS, arcface_tensors

TENSORS = arcface_tensors(side=48)


@pytest.fixture(scope="module")
def network() -> ArcFace:
    return build(Part("file", TENSORS))


def images(side: int, seed: int = 0) -> Tensor:
    return torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def published_face(image: Tensor) -> Tensor:
    return F.adaptive_avg_pool2d(image[:, :, 35:223, 32:220], 48)


@torch.no_grad()
def test_a_face_of_256_pixels_is_cut_shrunk_and_embedded_as_published(network) -> None:
    """188 pixels do not divide by 48: windows of the average overlap."""
    ours = network(images(256))
    assert_close(ours, arcface(TENSORS, UNITS, published_face(images(256))))
    assert torch.allclose(ours.norm(dim=1), torch.ones(3), atol=1e-6)


@torch.no_grad()
def test_a_larger_picture_is_first_averaged_to_256_pixels(network) -> None:
    face = published_face(F.avg_pool2d(images(512), 2))
    assert_close(network(images(512)), arcface(TENSORS, UNITS, face))


@pytest.mark.parametrize(("side", "rows", "columns"), [(128, (18, 112), (16, 110)), (64, (9, 56), (8, 55))])
@torch.no_grad()
def test_a_smaller_picture_is_cut_at_the_same_places(side, rows, columns, network) -> None:
    face = F.adaptive_avg_pool2d(images(side)[:, :, slice(*rows), slice(*columns)], 48)
    assert_close(network(images(side)), arcface(TENSORS, UNITS, face))


@torch.no_grad()
def test_similarity_is_the_cosine_of_embeddings(network) -> None:
    a, b = images(256, 1), images(256, 2)
    one, other = (arcface(TENSORS, UNITS, published_face(image)) for image in (a, b))
    plain = F.cosine_similarity(one, other)
    assert_close(network.similarity(a, b), plain)
    assert torch.allclose(network.similarity(a, a), torch.ones(3), atol=1e-6)


def test_similarity_exports_for_any_batch(network) -> None:
    class Similarity(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, a: Tensor, b: Tensor) -> Any:
            return self.network.similarity(a, b)

    assert_exports(Similarity(), images(256, 1), images(256, 2))


@torch.no_grad()
def test_a_pack_can_rebuild_it_from_json_and_weights(network) -> None:
    header = json.loads(json.dumps(asdict(network.config)))
    copy = ArcFace(ArcFaceConfig(**header))
    copy.load_state_dict(network.state_dict())
    assert copy.config == network.config
    assert torch.equal(copy(images(256)), network(images(256)))


def test_a_side_that_halves_to_fractions_is_refused() -> None:
    with pytest.raises(ValueError, match="resolution: expected a multiple of 16, got 40"):
        ArcFaceConfig(channels=(4, 4, 6, 8, 10), units=(1, 1, 1, 1), reduction=2, resolution=40)
