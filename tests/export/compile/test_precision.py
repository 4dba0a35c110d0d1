"""Half precision, computed as such, against float32: images, codes and features."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from relatent_export.compile.precision import Precision, in_precision
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.ir_se import IRSE, IRSEConfig, Norm
from relatent_export.nets.pixels import to_bytes
from relatent_export.nets.stylegan2 import Generator
from tests.export.compile.halves import (
    CONFIG,
    HALF,
    SIDE,
    random_codes,
    random_generator,
    random_network,
    relative,
    scaled,
)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return random_generator()


@pytest.fixture(scope="module")
def network() -> AttributeNetwork:
    return random_network()


@pytest.fixture(scope="module")
def codes() -> Tensor:
    return random_codes()


# ---- synthesis


def test_an_image_differs_by_a_fraction_of_a_level(generator: Generator, codes: Tensor) -> None:
    half, full = generator.synthesis(codes, torch.float16), generator.synthesis(codes)
    assert half.dtype is torch.float32
    difference = (to_bytes(half).int() - to_bytes(full).int()).abs().float()
    assert 0 < difference.mean() < 0.2
    assert difference.max() <= 2


@pytest.mark.parametrize("factor", [1e-3, 1e-2, 1e2, 1e3])
def test_styles_of_any_size_are_held(generator: Generator, codes: Tensor, factor: float) -> None:
    other = scaled(generator, torch.tensor(factor))
    half, full = other.synthesis(codes, torch.float16), other.synthesis(codes)
    assert half.isfinite().all()
    assert relative(half, full) < 2e-3


def test_a_layers_styles_may_differ_a_millionfold(generator: Generator, codes: Tensor) -> None:
    factors = torch.logspace(-3, 3, 12)[torch.randperm(12, generator=torch.Generator().manual_seed(3))]
    other = scaled(generator, factors)
    half, full = other.synthesis(codes, torch.float16), other.synthesis(codes)
    assert half.isfinite().all()
    assert relative(half, full) < 2e-3


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_weights_of_any_size_are_held(generator: Generator, codes: Tensor, factor: float) -> None:
    """Demodulation makes a layer blind to them, and training lets them grow."""
    other = scaled(generator, torch.tensor(1.0))
    for layer in other.synthesis.layers:
        layer.get_parameter("conv.weight").data *= factor
    half, full = other.synthesis(codes, torch.float16), other.synthesis(codes)
    assert relative(half, full) < 2e-3


@pytest.mark.parametrize("factor", [0.0, 1e-6, 1e3, 1e6])
def test_no_code_gives_anything_but_numbers(generator: Generator, codes: Tensor, factor: float) -> None:
    half = generator.synthesis(codes * factor, torch.float16)
    assert half.isfinite().all()
    assert relative(half, generator.synthesis(codes * factor)) < 5e-3


def test_maps_stay_near_unit_scale_whatever_the_styles(generator: Generator, codes: Tensor) -> None:
    other, seen = scaled(generator, torch.tensor(1e3)), list[Tensor]()
    for layer in other.synthesis.layers:
        layer.register_forward_hook(lambda layer, given, maps: seen.append(maps.values))
    other.synthesis(codes, torch.float16)
    assert [maps.dtype for maps in seen] == [torch.float16] * len(seen)
    for maps in seen:
        assert 0.1 < maps.float().square().mean().sqrt() < 10


# ---- other networks


def test_an_encoder_in_half_gives_float32_codes_that_hardly_differ(generator: Generator) -> None:
    torch.manual_seed(4)
    encoder = Encoder(CONFIG.layers, CONFIG.latent_width, torch.randn(8), channels=(8, 8, 8, 8), head=8)
    for head in encoder.heads:
        nn.init.normal_(head.get_parameter("dense.weight"), std=0.2)
    half = in_precision(encoder.requires_grad_(False), HALF)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    assert half(image).dtype is torch.float32
    assert 0 < relative(half(image), encoder(image)) < 2e-3
    assert half.mean is encoder.mean  # what is added in float32 is not rounded
    assert {p.dtype for p in half.parameters()} == {torch.float16}
    assert {p.dtype for p in encoder.parameters()} == {torch.float32}


def test_a_normalisation_holds_variances_that_half_precision_does_not() -> None:
    torch.manual_seed(5)
    backbone = IRSE(IRSEConfig(channels=(4, 4, 8, 8, 8), units=(1, 1, 1, 1), reduction=4))
    for module in backbone.modules():
        if isinstance(module, Norm):
            module.mean.normal_()
            module.variance.fill_(1e6)
            module.weight.data.fill_(1e3)
            module.bias.data.normal_()
    half = in_precision(backbone.requires_grad_(False), HALF)
    image = torch.rand(2, 3, 32, 32) * 2 - 1
    for ours, expected in zip(half(image), backbone(image), strict=True):
        assert ours.dtype is torch.float32
        assert relative(ours, expected) < 1e-2


def test_attributes_are_float32_and_feature_maps_are_not(network: AttributeNetwork) -> None:
    half = in_precision(network, HALF)
    image = torch.rand(2, 3, SIDE, SIDE) * 2 - 1
    assert half(image).dtype is torch.float32
    assert {maps.dtype for maps in half.features(image)} == {torch.float16}
    assert {maps.dtype for maps in half.compared(image)} == {torch.float32}


def test_a_network_in_float32_is_itself(network: AttributeNetwork) -> None:
    assert in_precision(network, Precision.FLOAT32) is network
