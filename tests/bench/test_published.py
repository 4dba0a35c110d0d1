from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from bench.published import PublishedSynthesis
from relatent_export.demo.world import demo_parts
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.packs.weights import load_networks

ROOT = Path(__file__).parents[2]


def demo() -> Generator:
    return demo_parts(load_networks(ROOT / "packs" / "demo")).generator


def noisy() -> Generator:
    torch.manual_seed(0)
    config = GeneratorConfig(resolution=16, latent_width=8, mapping_layers=1, channels=(8, 6, 4), noise=True)
    generator = Generator(config)
    with torch.no_grad():
        for name, parameter in generator.synthesis.named_parameters():
            if name.endswith(("noise_strength", "bias")):
                parameter.add_(torch.randn_like(parameter))
    return generator


@pytest.mark.parametrize("generator", [demo, noisy])
def test_the_published_form_makes_the_same_images_and_gradients(generator: Callable[[], Generator]) -> None:
    networks = generator()
    own, published = networks.synthesis, PublishedSynthesis(networks.synthesis)
    torch.manual_seed(1)
    z = torch.randn(3, networks.config.latent_width)
    images, gradients = [], []
    for synthesis in (own, published):
        w = networks.broadcast(networks.mapping(z)).detach().clone().requires_grad_()
        image = synthesis(w)
        image.square().sum().backward()
        images.append(image.detach())
        gradients.append(w.grad)
    # Rounding may put a value on the other side of an activation's kink, which a gradient shows.
    for (one, other), tolerance in ((images, 1e-4), (gradients, 1e-3)):
        assert one is not None
        assert other is not None
        assert (one - other).abs().max() <= tolerance * one.abs().max()


def test_a_samples_image_is_its_own_in_any_company() -> None:
    networks = noisy()
    published = PublishedSynthesis(networks.synthesis)
    with torch.no_grad():
        w = networks.broadcast(networks.mapping(torch.randn(3, 8))).contiguous()
        torch.testing.assert_close(published(w)[1:2], published(w[1:2]), rtol=1e-4, atol=1e-5)
