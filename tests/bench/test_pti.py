from pathlib import Path

import pytest
import torch
from torch import Tensor

from bench.pti import tune
from bench.published import PublishedSynthesis
from relatent_export.demo.world import demo_parts
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.packs.weights import load_networks

ROOT = Path(__file__).parents[2]
Problem = tuple[Generator, AttributeNetwork, Tensor, Tensor]


@pytest.fixture(scope="module")
def problem() -> Problem:
    """Networks, pivots [2, L, D], and targets [2, 3, R, R] that those do not make."""
    torch.manual_seed(0)
    config = GeneratorConfig(resolution=16, latent_width=8, mapping_layers=1, channels=(8, 8, 8))
    generator, attributes = Generator(config), AttributeNetwork(4, 16, (4, 4, 4, 4, 4))
    with torch.no_grad():
        pivots, others = (generator.codes(torch.randn(2, 8), 1.0) for _ in range(2))
        targets = generator.synthesis(others).clamp(-1, 1)
    return generator, attributes, pivots, targets


def test_tuning_lowers_the_error_and_leaves_the_weights_that_it_began_with(problem: Problem) -> None:
    generator, attributes, pivots, targets = problem
    before = {name: value.clone() for name, value in generator.synthesis.state_dict().items()}
    results = [
        tune(generator.synthesis, pivot, target, attributes, steps=40, rate=3e-3)
        for pivot, target in zip(pivots, targets, strict=True)
    ]
    with torch.no_grad():
        untuned = (generator.synthesis(pivots) - targets).square().mean((1, 2, 3))
        tuned = torch.stack(
            [
                (result.synthesis(pivot[None])[0] - target).square().mean()
                for result, pivot, target in zip(results, pivots, targets, strict=True)
            ]
        )
    assert (tuned < untuned / 2).all()
    assert all(torch.equal(value, before[name]) for name, value in generator.synthesis.state_dict().items())
    for network in (generator.synthesis, attributes):
        assert all(parameter.grad is None for parameter in network.parameters())


def test_each_image_has_all_weights_for_itself(problem: Problem) -> None:
    generator, attributes, pivots, targets = problem
    result = tune(generator.synthesis, pivots[0], targets[0], attributes, steps=1)
    own = dict(result.synthesis.named_parameters())
    for name, parameter in generator.synthesis.named_parameters():
        assert not torch.equal(parameter, own[name]), name
    assert result.size == sum(4 * parameter.numel() for parameter in generator.synthesis.parameters())
    assert result.seconds > 0


def test_the_demo_packs_synthesis_is_tuned_in_its_published_form_too() -> None:
    parts = demo_parts(load_networks(ROOT / "packs" / "demo"))
    synthesis = PublishedSynthesis(parts.generator.synthesis)
    torch.manual_seed(1)
    with torch.no_grad():
        pivot = parts.generator.codes(torch.randn(1, 128), 1.0)[0]
        target = (synthesis(pivot[None])[0] + 0.2).clamp(-1, 1)
    result = tune(synthesis, pivot, target, parts.attributes, steps=5)
    with torch.no_grad():
        before, after = (
            float((network(pivot[None])[0] - target).square().mean())
            for network in (synthesis, result.synthesis)
        )
    assert after < before
    assert not any(parameter.requires_grad for parameter in parts.generator.synthesis.parameters())
