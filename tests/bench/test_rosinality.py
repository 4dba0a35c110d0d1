from pathlib import Path

import torch

from bench.rosinality import save_checkpoint
from relatent_export.families.importing import Stated, import_pack
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.packs.weights import load_networks
from tests.fixtures.small import small_networks


def test_a_generator_that_is_written_and_imported_is_the_same(tmp_path: Path) -> None:
    small = small_networks()
    torch.manual_seed(3)
    plain = Generator(GeneratorConfig(32, latent_width=8, mapping_layers=2, channels=(16, 16, 8, 8)))
    assert isinstance(small.generator, Generator)
    for name, generator in (("noisy", small.generator), ("plain", plain)):
        save_checkpoint(generator, tmp_path / f"{name}.pt")
        pack = import_pack([tmp_path / f"{name}.pt"], tmp_path, name, Stated())
        again = load_networks(pack).generator
        z = torch.randn(3, 8)
        with torch.no_grad():
            codes = generator.codes(z, 0.7)
            assert torch.equal(again.codes(z, 0.7), codes)
            torch.testing.assert_close(again.synthesis(codes), generator.synthesis(codes))
    assert load_networks(tmp_path / "noisy").revision == small.revision
