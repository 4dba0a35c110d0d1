"""Synthesis with offsets of features, and of several codes blended, in both families of generators."""

from __future__ import annotations

import pytest
import torch

from relatent_export.nets.blending import BlendedSynthesis
from relatent_export.nets.offsets import AnyGenerator, OffsetSynthesis, deviations, last_layer_of
from relatent_export.nets.stylegan1 import StyleGAN1, StyleGAN1Config
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig


@pytest.fixture(scope="module", params=["stylegan1", "stylegan2"])
def generator(request: pytest.FixtureRequest) -> AnyGenerator:
    torch.manual_seed(5)
    if request.param == "stylegan2":
        return Generator(GeneratorConfig(16, 8, 2, (8, 6, 4))).eval().requires_grad_(False)
    config = StyleGAN1Config(16, 8, 8, 2, 8, (8, 6, 4))
    return StyleGAN1(config).eval().requires_grad_(False)


def codes(generator: AnyGenerator, count: int, seed: int = 0) -> torch.Tensor:
    config = generator.config
    return torch.randn(
        count, config.layers, config.latent_width, generator=torch.Generator().manual_seed(seed)
    )


def offsets(synthesis: OffsetSynthesis, count: int) -> dict[int, torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    return {
        layer: torch.randn(count, *synthesis.shape(layer), generator=random) for layer in synthesis.layers
    }


def test_offsets_of_zero_change_nothing_and_others_do(generator: AnyGenerator) -> None:
    synthesis = OffsetSynthesis(generator, (1, last_layer_of(generator, 8)))
    w, some = codes(generator, 2), offsets(synthesis, 2)
    nothing = {layer: torch.zeros_like(each) for layer, each in some.items()}
    torch.testing.assert_close(synthesis(w, nothing), generator.synthesis(w))
    assert (synthesis(w, some) - generator.synthesis(w)).abs().max() > 1e-2


def test_an_offset_is_in_units_of_its_channels_deviation(generator: AnyGenerator) -> None:
    layer = last_layer_of(generator, 8)
    one, four = (OffsetSynthesis(generator, (layer,), unit) for unit in (1.0, 4.0))
    w, some = codes(generator, 1), offsets(one, 1)
    torch.testing.assert_close(four(w, {layer: some[layer] / 4}), one(w, some), atol=1e-4, rtol=1e-4)
    (deviation,) = deviations(generator, (layer,)).values()
    assert deviation.shape == (1, one.shape(layer)[0], 1, 1)
    assert (deviation > 0).all()


def test_where_nothing_was_edited_an_offset_is_as_it_was_found(generator: AnyGenerator) -> None:
    synthesis = OffsetSynthesis(generator, (0, 1, last_layer_of(generator, 8)))
    w, some = codes(generator, 3), offsets(synthesis, 3)
    torch.testing.assert_close(synthesis.faded(w, w, some), synthesis(w, some), atol=1e-6, rtol=1e-6)


def test_far_from_where_it_was_found_an_offset_is_gone(generator: AnyGenerator) -> None:
    layer = last_layer_of(generator, 8)
    synthesis = OffsetSynthesis(generator, (layer,))
    origin, w = codes(generator, 1), 5 * codes(generator, 1, seed=7)
    some = offsets(synthesis, 1)
    plain, rigid = generator.synthesis(w), synthesis(w, some)
    left = (synthesis.faded(w, origin, some) - plain).square().mean()
    assert left < 0.2 * (rigid - plain).square().mean()


def test_the_first_code_alone_is_its_own_image_and_weights_blend_the_others_in(
    generator: AnyGenerator,
) -> None:
    blended = BlendedSynthesis(generator, 3, last_layer_of(generator, 8), unit=2.0)
    w = torch.stack([codes(generator, 2, seed=seed) for seed in range(3)], dim=1)
    nothing = torch.zeros(2, 3, blended.channels)
    torch.testing.assert_close(blended(w, nothing), generator.synthesis(w[:, 0]), atol=1e-5, rtol=1e-5)
    second = nothing.clone()
    second[:, 0], second[:, 1] = -0.5, 0.5  # in units of two: the second code's features alone
    mixed = blended(w, second)
    assert (mixed - generator.synthesis(w[:, 0])).abs().max() > 1e-2
    same = torch.stack([w[:, 0]] * 3, dim=1)
    torch.testing.assert_close(blended(same, second), generator.synthesis(w[:, 0]), atol=1e-5, rtol=1e-5)


def test_samples_do_not_see_each_other(generator: AnyGenerator) -> None:
    synthesis = OffsetSynthesis(generator, (1,))
    w, origin, some = codes(generator, 3), codes(generator, 3, seed=2), offsets(synthesis, 3)
    together = synthesis.faded(w, origin, some)
    alone = synthesis.faded(w[1:2], origin[1:2], {layer: each[1:2] for layer, each in some.items()})
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)
