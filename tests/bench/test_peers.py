"""The published loops: their numbers, their schedules, and what they descend."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bench.peers import PeerNetworks, PeerRun, PeerSettings, idinvert_style, image2stylegan_style
from relatent.core.methods import StartRule
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig


@pytest.fixture(scope="module")
def networks() -> PeerNetworks:
    torch.manual_seed(0)
    generator = Generator(GeneratorConfig(32, 8, 1, (8, 8, 8, 8)))
    encoder = Encoder(8, 8, torch.zeros(8), (4, 4, 4, 4))
    return PeerNetworks.of(Networks(generator, encoder, AttributeNetwork(4, 32, (4, 4, 4, 4, 4))))


@pytest.fixture(scope="module")
def target(networks: PeerNetworks) -> Tensor:
    torch.manual_seed(1)
    with torch.no_grad():
        return networks.synthesis(torch.randn(3, 8, 8)).clamp(-1, 1)


def error(networks: PeerNetworks, run: PeerRun, target: Tensor) -> Tensor:
    with torch.no_grad():
        return (networks.synthesis(torch.from_numpy(run.codes)) - target).square().mean((1, 2, 3))


def test_published_settings_are_those_of_the_publications() -> None:
    in_domain, wide = idinvert_style().published, image2stylegan_style().published
    assert (in_domain.start, in_domain.rate, in_domain.schedule) == (StartRule.ENCODER, 0.01, 100)
    assert (in_domain.weights["pixel"], in_domain.weights["domain"]) == (1, 2)
    assert (in_domain.most, in_domain.ramped, in_domain.noise) == (1000, False, 0)
    assert (wide.start, wide.rate, wide.schedule, wide.most) == (StartRule.MEAN, 0.1, 1000, 1000)
    assert (wide.noise, wide.ramped) == (0.05, True)
    for peer in (idinvert_style(), image2stylegan_style()):
        assert peer.swept
        assert peer.published not in peer.swept


def test_a_ramped_rate_rises_stays_and_falls_and_noise_dies_out() -> None:
    settings = image2stylegan_style().published
    rates = [settings.rate_at(step) for step in range(1000)]
    assert rates[0] == 0
    assert rates[25] == pytest.approx(0.05)
    assert rates[50:751] == pytest.approx([0.1] * 701)
    assert rates[875] == pytest.approx(0.05)
    assert 0 < rates[999] < 1e-5
    assert settings.noise_at(0) == 0.05
    assert settings.noise_at(375) == pytest.approx(0.05 / 4)
    assert settings.noise_at(750) == settings.noise_at(999) == 0
    assert [idinvert_style().published.rate_at(step) for step in (0, 99, 999)] == [0.01] * 3


def test_no_schedule_is_gone_beyond(networks: PeerNetworks, target: Tensor) -> None:
    settings = image2stylegan_style().published
    with pytest.raises(ValueError, match="most: expected at most the schedule's 1000"):
        replace(settings, most=1001)
    run = PeerRun(networks, replace(settings, schedule=5, most=5), target)
    run.advance(5)
    with pytest.raises(ValueError, match="expected 5 in all, got 6"):
        run.advance(1)


@pytest.mark.parametrize("settings", [idinvert_style().published, image2stylegan_style().published])
def test_the_loops_descend_from_their_starts_with_all_networks_frozen(
    networks: PeerNetworks, target: Tensor, settings: PeerSettings
) -> None:
    run = PeerRun(networks, replace(settings, schedule=60, most=60), target)
    with torch.no_grad():
        starts = {StartRule.ENCODER: networks.encoder(target), StartRule.MEAN: networks.mean.repeat(3, 1, 1)}
    assert torch.equal(torch.from_numpy(run.codes), starts[settings.start])
    before = error(networks, run, target)
    run.advance(60)
    assert (error(networks, run, target) < before * 0.9).all()
    for network in (networks.encoder, networks.perceptual):
        assert all(parameter.grad is None for parameter in network.parameters())


def test_the_domain_term_keeps_codes_where_the_encoder_sees_them(
    networks: PeerNetworks, target: Tensor
) -> None:
    distances = []
    for domain in (0.0, 200.0):
        settings = idinvert_style().published
        run = PeerRun(networks, replace(settings, weights={**settings.weights, "domain": domain}), target)
        run.advance(40)
        codes = torch.from_numpy(run.codes)
        with torch.no_grad():
            distances.append(float((codes - networks.encoder(networks.synthesis(codes))).square().mean()))
    assert distances[1] < distances[0]


def test_batch_mates_and_the_form_of_the_synthesis_change_nothing(
    networks: PeerNetworks, target: Tensor
) -> None:
    settings = replace(image2stylegan_style().published, schedule=10, most=10)
    all_of_them = PeerRun(networks, settings, target)
    alone = PeerRun(networks.counting(), settings, target[:1])
    for run in (all_of_them, alone):
        run.advance(10)
    torch.testing.assert_close(
        torch.from_numpy(all_of_them.codes[:1]), torch.from_numpy(alone.codes), rtol=1e-3, atol=1e-3
    )
