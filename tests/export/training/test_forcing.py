"""A discriminator of codes pulls an encoder's codes to where mapped random vectors lie."""

from __future__ import annotations

import torch

from relatent_export.analysis.frechet import latent_frechet
from relatent_export.nets.attributes import AttributeNetwork
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.training.encoder import EncoderRound, EncoderSettings
from relatent_export.training.forced_encoder import ForcedEncoderTraining, ForcingSettings

TINY = GeneratorConfig(32, 8, 2, (4, 4, 4, 4))
DATA = torch.randint(0, 256, (64, 3, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def training(weight: float) -> ForcedEncoderTraining:
    """Of an encoder whose codes lie far off."""
    torch.manual_seed(0)
    generator = Generator(TINY)
    encoder = Encoder(TINY.layers, 8, torch.full((8,), 3.0), channels=(4, 4, 4, 4), head=4)
    settings = EncoderSettings(rounds=(EncoderRound(960, 64, 3e-3, 0.5),), batch=16, average=0.9)
    perceptual = AttributeNetwork(1, 32, (4, 4, 4, 4, 4))
    forcing = ForcingSettings(weight=weight, rate=3e-3, steps=2, batch=32)
    return ForcedEncoderTraining(encoder, generator, perceptual, None, settings, forcing)


@torch.no_grad()
def gap(run: ForcedEncoderTraining) -> float:
    """Fréchet distance of the encoder's codes from mapped ones."""
    z = torch.randn(500, 8, generator=torch.Generator().manual_seed(1))
    mapped = run.generator.broadcast(run.generator.mapping(z))
    return latent_frechet(run.average(DATA.float() / 127.5 - 1), mapped).averaged


def test_forced_codes_come_closer_to_mapped_ones_than_others() -> None:
    plain, forced = training(weight=0.0), training(weight=1.0)
    before = gap(forced)
    for run in (plain, forced):
        assert all("forced" in terms for terms in run.run(DATA))
    assert gap(forced) < 0.5 * min(before, gap(plain))


def test_training_an_encoder_leaves_the_generator_as_it_was() -> None:
    run = training(weight=1.0)
    before = {name: tensor.clone() for name, tensor in run.generator.state_dict().items()}
    next(run.run(DATA))
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.generator.state_dict().items())
