from dataclasses import replace

import pytest
import torch

from bench.projectors import Problem, Projector, step_flops
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.coordinates import Coordinates
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig


@pytest.fixture(scope="module")
def networks() -> tuple[Generator, AttributeNetwork]:
    torch.manual_seed(0)
    config = GeneratorConfig(resolution=16, latent_width=8, mapping_layers=1, channels=(8, 8, 8))
    return Generator(config), AttributeNetwork(4, 16, (4, 4, 4, 4, 4))


@pytest.fixture(scope="module")
def problem(networks: tuple[Generator, AttributeNetwork]) -> Problem:
    generator, _ = networks
    with torch.no_grad():
        target = generator(torch.randn(2, 8)).clamp(-1, 1)
        start = generator.broadcast(generator.mapping(torch.randn(2, 8))).contiguous()
    weights = {"pixel": 1.0, "perceptual": 0.1, "anchor": 0.01}
    return Problem(target, start, 0.05, weights)


def test_the_frozen_loop_descends(networks: tuple[Generator, AttributeNetwork], problem: Problem) -> None:
    generator, attributes = networks
    losses = Projector(generator.synthesis, attributes, wasteful=False).run(problem, 20)
    assert losses.shape == (2, 20)
    assert (losses[:, -1] < losses[:, 0] * 0.8).all()
    assert all(parameter.grad is None for parameter in generator.synthesis.parameters())


def test_a_basis_of_the_codes_own_axes_changes_nothing(
    networks: tuple[Generator, AttributeNetwork], problem: Problem
) -> None:
    generator, attributes = networks
    loop = Projector(generator.synthesis, attributes, wasteful=False)
    own = replace(problem, coordinates=Coordinates(torch.eye(problem.start[0].numel())))
    torch.testing.assert_close(loop.run(own, 5), loop.run(problem, 5), rtol=1e-4, atol=1e-6)


def test_the_wasteful_loop_does_the_same_and_more(
    networks: tuple[Generator, AttributeNetwork], problem: Problem
) -> None:
    generator, attributes = networks
    frozen = Projector(generator.synthesis, attributes, wasteful=False).run(problem, 5)
    wasteful = Projector(generator.synthesis, attributes, wasteful=True).run(problem, 5)
    torch.testing.assert_close(frozen, wasteful, rtol=1e-4, atol=1e-6)
    assert all(parameter.grad is not None for parameter in generator.synthesis.parameters())


def test_the_operations_of_a_step_are_those_of_products_there_and_back(
    networks: tuple[Generator, AttributeNetwork], problem: Problem
) -> None:
    generator, attributes = networks
    frozen = Projector(generator.synthesis, attributes, wasteful=False)
    wasteful = Projector(generator.synthesis, attributes, wasteful=True)
    twice = replace(problem, target=problem.target.repeat(2, 1, 1, 1), start=problem.start.repeat(2, 1, 1))
    flops = step_flops(frozen, problem)
    assert flops > 0
    assert step_flops(frozen, twice) == pytest.approx(2 * flops, rel=0.05)
    assert step_flops(wasteful, problem) > 1.3 * flops
