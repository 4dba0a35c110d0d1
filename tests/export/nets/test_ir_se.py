"""The IR-SE backbone against its published equations, under its published names."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from relatent_export.families.shared.backbones import ir_se_shape, ir_se_state, resnet_shape, resnet_state
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.assigning import assign
from relatent_export.nets.ir_se import IRSE, IRSEConfig
from relatent_export.nets.resnet import ResNet
from tests.export.nets.plain_encoders import assert_close, ir_se_maps, resnet_maps
from tests.fixtures.checkpoints.encoders import fill, ir_se_shapes, resnet_shapes

WIDTHS, UNITS = (6, 6, 8, 12, 16), (2, 1, 3, 2)
ENDS = (1, 2, 5, 7)


@torch.no_grad()
def test_every_stage_gives_the_published_map() -> None:
    tensors = fill(ir_se_shapes(WIDTHS, UNITS, channels=3, reduction=2), seed=1)
    named = NamedTensors(tensors, "x")
    config = IRSEConfig(**ir_se_shape(named, "x"))
    assert config == IRSEConfig(WIDTHS, UNITS, image_channels=3, reduction=2)
    network = IRSE(config)
    assign(network, {name[2:]: tensor for name, tensor in ir_se_state(named, config, "x").items()})
    image = torch.randn(2, 3, 32, 32)
    plain = ir_se_maps(tensors, UNITS, image)
    for ours, end, side in zip(network(image), ENDS, (16, 8, 4, 2), strict=True):
        assert ours.shape[2:] == (side, side)
        assert_close(ours, plain[end])


@torch.no_grad()
def test_a_first_stage_that_widens_has_a_shortcut_of_its_own() -> None:
    tensors = fill(ir_se_shapes((4, *WIDTHS[1:]), UNITS, channels=6, reduction=3), seed=2)
    named = NamedTensors(tensors, "x")
    config = IRSEConfig(**ir_se_shape(named, "x"))
    network = IRSE(config)
    assign(network, {name[2:]: tensor for name, tensor in ir_se_state(named, config, "x").items()})
    image = torch.randn(1, 6, 32, 32)
    assert_close(network(image)[-1], ir_se_maps(tensors, UNITS, image)[-1])


@torch.no_grad()
def test_a_resnets_stages_give_the_published_maps() -> None:
    tensors = fill(resnet_shapes(WIDTHS, UNITS, channels=6), seed=3)
    named = NamedTensors(tensors, "x")
    config = IRSEConfig(**resnet_shape(named, "x"))
    assert (config.channels, config.units, config.image_channels) == (WIDTHS, UNITS, 6)
    network = ResNet(config.channels, config.units, config.image_channels)
    assign(network, {name[2:]: tensor for name, tensor in resnet_state(named, config, "x").items()})
    image = torch.randn(2, 6, 32, 32)
    plain = resnet_maps(tensors, UNITS, image)
    for ours, end, side in zip(network(image), ENDS, (16, 8, 4, 2), strict=True):
        assert ours.shape[2:] == (side, side)
        assert_close(ours, plain[end])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"channels": (4, 4, 6)}, "channels: expected 5 counts, got 3"),
        ({"units": (1, 2, 0, 1)}, "units: expected 4 counts from 1"),
        ({"reduction": 5}, "reduction: expected 1 to 4, got 5"),
    ],
)
def test_a_backbone_of_impossible_shape_is_refused(change: dict[str, Any], message: str) -> None:
    shape: dict[str, Any] = {"channels": (4, 4, 6, 8, 10), "units": (1, 1, 1, 1), "reduction": 2}
    with pytest.raises(ValueError, match=message):
        IRSEConfig(**(shape | change))
