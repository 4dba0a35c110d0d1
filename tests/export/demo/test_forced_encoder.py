"""The forced encoder goes into the pack that it was made of, which stays whole."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
import torch

from relatent.core.manifest import read_manifest
from relatent_export.demo import commands
from relatent_export.demo.encoder_report import frechet_floor, measure_encoders
from relatent_export.demo.train_forced_encoder import train_forced_encoder
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.networks import Networks
from relatent_export.packs.pack import write_pack
from relatent_export.packs.verifying import verify_pack
from relatent_export.packs.weights import FORCED_ENCODER, JUDGE, load_networks
from relatent_export.training.encoder import EncoderRound, EncoderSettings
from tests.export.packs.test_pack import INFO

SETTINGS = EncoderSettings(rounds=(EncoderRound(32, 16, 1e-3, 0.5),), batch=8)


def test_a_forced_encoder_is_trained_from_its_checkpoint_and_leaves_the_pack_as_it_was(
    small: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(small.encoder, Encoder)
    before = {name: tensor.clone() for name, tensor in small.encoder.state_dict().items()}
    first, _ = train_forced_encoder(tmp_path, small, SETTINGS)
    monkeypatch.setattr("relatent_export.demo.train_forced_encoder.draw", pytest.fail)
    again, _ = train_forced_encoder(tmp_path, small, SETTINGS)
    image = torch.zeros(1, 3, 32, 32)
    assert torch.equal(first(image), again(image))
    assert not torch.equal(first(image), small.encoder(image))
    assert all(torch.equal(tensor, before[name]) for name, tensor in small.encoder.state_dict().items())


def test_the_command_seals_it_in_the_pack_and_tells_both_encoders_figures(
    small: Networks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tmp_path / "small"
    write_pack(pack, INFO, small, [])
    before = read_manifest(pack / "pack.toml")
    monkeypatch.setattr(commands, "train_forced_encoder", partial(train_forced_encoder, settings=SETTINGS))
    monkeypatch.setattr(commands, "measure_encoders", partial(measure_encoders, codes=100, rebuilt=4))
    monkeypatch.setattr(commands, "frechet_floor", partial(frechet_floor, codes=100))
    told = commands.forced_encoder(tmp_path / "work", pack)
    assert told.startswith(f"{pack / FORCED_ENCODER}: Fréchet distance of codes ")
    after = read_manifest(pack / "pack.toml")
    assert set(after["files"]) - set(before["files"]) == {FORCED_ENCODER}
    assert {**after, "files": {}} == {**before, "files": {}}
    assert load_networks(pack).revision == small.revision
    # What reports judge with may lie there, too.
    shutil.copy(pack / FORCED_ENCODER, pack / JUDGE)
    assert verify_pack(pack, lambda _: None, pytest.fail)
