"""The demo's image-text model resumes its training, is written as CLIP is, and tells drawings by texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from relatent_export.demo import commands, train_text
from relatent_export.demo.captions import PROMPTS
from relatent_export.demo.text_networks import CONTEXT, EMBEDDING, ImageTextNetworks
from relatent_export.demo.text_report import TextFigures, measure_text
from relatent_export.demo.train_text import (
    MEAN,
    STD,
    TextSettings,
    TextTraining,
    build_tokenizer,
    write_image_text,
)
from relatent_export.demo.world import RESOLUTION, Drawings, draw
from relatent_export.text.encoding import ImageEmbedding, embed_texts
from relatent_export.text.image_text import read_image_text
from tests.export.conftest import ROOT

SETTINGS = TextSettings(images=64, batch=16)


@pytest.fixture(autouse=True)
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_text, "_DRAWINGS", 64)


def test_a_model_is_trained_from_its_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = train_text.train_text(tmp_path, SETTINGS)
    monkeypatch.setattr("relatent_export.demo.train_attributes.draw", pytest.fail)
    again, _ = train_text.train_text(tmp_path, SETTINGS)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_interrupted_training_comes_to_the_same(tmp_path: Path) -> None:
    data, factors = draw(Drawings.TEXT, 64)
    straight, stopped, resumed = (TextTraining(SETTINGS) for _ in range(3))
    for _ in straight.run(data, factors):
        pass
    steps = stopped.run(data, factors)
    next(steps)
    next(steps)
    stopped.save(tmp_path / "text.safetensors")
    resumed.load(tmp_path / "text.safetensors")
    assert resumed.images == 32
    for _ in resumed.run(data, factors):
        pass
    for one, other in zip(straight.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_it_is_written_as_clip_is_and_read_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(0)
    networks = ImageTextNetworks(RESOLUTION, build_tokenizer().get_vocab_size()).eval().requires_grad_(False)
    files = write_image_text(networks, tmp_path)
    assert sorted(file.name for file in files) == sorted(each.name for each in tmp_path.iterdir())
    assert max(file.stat().st_size for file in files) < 2_000_000
    pair = read_image_text(tmp_path)
    assert (pair.width, pair.context, pair.side) == (EMBEDDING, CONTEXT, RESOLUTION)
    images, _ = draw(Drawings.SWEEP, 2)
    own = F.normalize(networks.image((images.float() / 255 - MEAN) / STD), dim=1)
    torch.testing.assert_close(ImageEmbedding(pair, RESOLUTION)(images.float() / 127.5 - 1), own)
    texts = ["a person", "A Smiling  person, with LONG hair"]
    encoded = build_tokenizer().encode_batch(texts)
    ids, mask = (torch.tensor([getattr(e, what) for e in encoded]) for what in ("ids", "attention_mask"))
    expected = F.normalize(networks.text(ids, mask), dim=1).numpy()
    np.testing.assert_allclose(embed_texts(pair, texts), expected, atol=1e-5)


def test_what_fills_a_text_up_changes_nothing() -> None:
    torch.manual_seed(0)
    networks = ImageTextNetworks(RESOLUTION, 20).eval()
    ids = torch.randint(4, 20, (1, CONTEXT))
    mask = (torch.arange(CONTEXT) < 5).long()[None]
    other = torch.where(mask == 1, ids, ids.flip(1))
    torch.testing.assert_close(networks.text(ids, mask), networks.text(other, mask))
    assert not torch.allclose(networks.text(ids, mask), networks.text(ids, torch.ones_like(mask)))


def test_the_command_writes_the_model_and_tells_how_well_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "train_text", lambda work: train_text.train_text(work, SETTINGS))
    monkeypatch.setattr(commands, "measure_text", lambda model: measure_text(model, 40))
    given: list[Path] = []
    monkeypatch.setattr(commands, "set_text", lambda pack, pair: given.append(pack))
    monkeypatch.setattr(commands, "set_methods", lambda pack, names: given.append(pack))
    told = commands.text(tmp_path / "work", tmp_path / "pack")
    assert given == [tmp_path / "pack"] * 2
    assert told.startswith(f"{tmp_path / 'pack'}: scores of prompts correlate with their factors at ")
    assert read_image_text(tmp_path / "work" / "text").width == EMBEDDING


@pytest.fixture(scope="module")
def figures() -> TextFigures:
    return measure_text(read_image_text(ROOT / "packs/demo"), 300)


def test_the_demos_model_tells_what_its_prompts_name(figures: TextFigures) -> None:
    assert figures.correlations.keys() == {prompt.text for prompt in PROMPTS}
    assert min(figures.correlations.values()) > 0.9
    # Age and glasses go together in the drawings themselves.
    assert sorted(figures.leaks.values())[-3] < 0.25
    assert figures.retrieved > 0.85
