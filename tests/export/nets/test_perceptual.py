"""What feature networks have in common: their distance, and masks at the size of each map."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.perceptual import FeatureNetwork, perceptual_distance, resized_masks


def test_a_mask_is_halved_exactly() -> None:
    mask = torch.rand(2, 1, 16, 16)
    masks = resized_masks(mask, (16, 8, 4))
    assert masks[0] is mask
    assert torch.equal(masks[1], mask.reshape(2, 1, 8, 2, 8, 2).mean((3, 5)))
    assert torch.equal(masks[2], masks[1].reshape(2, 1, 4, 2, 4, 2).mean((3, 5)))


@pytest.mark.parametrize("sides", [(15, 7, 3, 3, 3), (36, 18, 9, 4, 2), (1,)])
def test_a_mask_of_another_side_is_averaged_over_what_a_position_stands_for(sides: tuple[int, ...]) -> None:
    mask = torch.rand(2, 1, 36, 36)
    masks = resized_masks(mask, sides)
    assert [x.shape[-1] for x in masks] == list(sides)
    for resized in masks:
        side = resized.shape[-1]
        # Whole fractions are averages of averages of a whole fraction: the same but for rounding.
        assert torch.allclose(resized, F.adaptive_avg_pool2d(mask, side), atol=1e-6), side


def test_a_mask_of_ones_stays_one() -> None:
    for resized in resized_masks(torch.ones(1, 1, 64, 64), (63, 31, 15, 15, 15)):
        assert torch.allclose(resized, torch.ones_like(resized), atol=1e-6)


def test_a_distance_counts_positions_as_the_masks_say() -> None:
    maps, others = [torch.randn(2, 3, 4, 4)], [torch.randn(2, 3, 4, 4)]
    mask = torch.zeros(2, 1, 4, 4)
    mask[:, :, 1, 2] = 16.0
    masked = perceptual_distance(maps, others, [mask])
    assert torch.allclose(masked, (maps[0] - others[0])[:, :, 1, 2].square().sum(1))


def test_a_distance_is_a_mean_over_maps_unless_told_otherwise() -> None:
    maps, others = ([torch.randn(2, 3, s, s) for s in (4, 2, 1)] for _ in range(2))
    mean = perceptual_distance(maps, others)
    assert torch.allclose(perceptual_distance(maps, others, divisor=1), 3 * mean)
    assert torch.equal(perceptual_distance(maps, others, divisor=3), mean)


def test_the_attribute_networks_features_can_be_compared() -> None:
    attributes: FeatureNetwork = AttributeNetwork(2, 32, channels=(4, 5, 6, 7, 8))
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    maps = attributes.compared(image)
    assert attributes.map_sizes(32) == tuple(x.shape[-1] for x in maps) == (32, 16, 8, 4)
    assert attributes.divisor == len(maps)
    for raw, compared in zip(attributes.features(image), maps, strict=True):
        expected = raw / (raw.square().sum(1, keepdim=True) + 1e-6).sqrt()
        assert torch.allclose(compared, expected, atol=1e-6)
