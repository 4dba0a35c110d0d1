"""A mapper learns what a text asks for, goes on where it stopped, and leaves codes at strength 0."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from relatent_export.compile.onnx import EXAMPLES
from relatent_export.nets.image_text import ImageText
from relatent_export.nets.networks import Networks
from relatent_export.text import mapper
from relatent_export.text.encoding import ImageEmbedding, embed_texts
from relatent_export.text.latent_mapper import LatentMapper
from relatent_export.text.mapper import train_mapper
from relatent_export.training import resuming
from tests.export.nets.exporting import assert_exports
from tests.fixtures.small import SMALL

PROMPT, NEUTRAL = "a smiling person", "a person"


def codes(networks: Networks, count: int = 6) -> torch.Tensor:
    z = torch.randn(count, SMALL.z_width, generator=torch.Generator().manual_seed(5))
    return networks.generator.codes(z, 1.0)


def test_a_mapper_moves_every_layer_by_its_strength(small: Networks) -> None:
    torch.manual_seed(0)
    moved, w = LatentMapper(SMALL.layers, SMALL.latent_width), codes(small)
    none, one, two = (moved(w, torch.full((len(w), 1), strength)) for strength in (0.0, 1.0, 2.0))
    assert torch.equal(none, w)
    torch.testing.assert_close(two - w, 2 * (one - w))
    assert (one != w).any(2).all()


def test_the_groups_see_their_own_layers_alone() -> None:
    torch.manual_seed(0)
    moved, w = LatentMapper(10, 4), torch.randn(1, 10, 4)
    other = w.clone()
    other[:, 5] += 1
    apart = (moved.change(other) != moved.change(w)).any(2)[0]
    assert apart.tolist() == [place == 5 for place in range(10)]
    assert [len(group) for group in moved.groups] == [4, 4, 2]


def test_a_mapper_is_exported_for_batches_of_any_size() -> None:
    torch.manual_seed(0)
    moved = LatentMapper(10, 4).requires_grad_(False)
    assert_exports(moved, torch.randn(EXAMPLES, 10, 4), torch.rand(EXAMPLES, 1))


@torch.no_grad()
def test_training_moves_images_towards_the_text(small: Networks, pair: ImageText, tmp_path: Path) -> None:
    goal = torch.from_numpy(embed_texts(pair, [PROMPT, NEUTRAL]))
    embedding, w = ImageEmbedding(pair, SMALL.resolution), codes(small)

    def towards(moved: LatentMapper) -> float:
        images = [small.generator.synthesis(each) for each in (moved(w, torch.ones(len(w), 1)), w)]
        apart = embedding(images[0]) - embedding(images[1])
        return float(F.cosine_similarity(apart, (goal[0] - goal[1])[None]).mean())

    with torch.enable_grad():
        trained = train_mapper(small, pair, PROMPT, NEUTRAL, steps=40, seed=0, work=tmp_path / "long")
        barely = train_mapper(small, pair, PROMPT, NEUTRAL, steps=1, seed=0, work=tmp_path / "short")
    assert towards(trained) > towards(barely) + 0.1
    assert not any(each.requires_grad for each in trained.parameters())


def test_interrupted_training_comes_to_the_same(
    small: Networks, pair: ImageText, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resuming, "KEPT_EVERY", 2)
    straight = train_mapper(small, pair, PROMPT, NEUTRAL, steps=5, seed=3)
    step = mapper.MapperTraining.step

    def interrupted(training: mapper.MapperTraining, progress: float) -> None:
        if progress >= 0.6:
            raise KeyboardInterrupt
        step(training, progress)

    with monkeypatch.context() as during:
        during.setattr(mapper.MapperTraining, "step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_mapper(small, pair, PROMPT, NEUTRAL, steps=5, seed=3, work=tmp_path)
    resumed = train_mapper(small, pair, PROMPT, NEUTRAL, steps=5, seed=3, work=tmp_path)
    for one, other in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)
    monkeypatch.setattr(
        mapper.MapperTraining, "step", lambda training, progress: pytest.fail("trained again")
    )
    train_mapper(small, pair, PROMPT, NEUTRAL, steps=5, seed=3, work=tmp_path)


def test_runs_of_other_tasks_pairs_and_encoders_are_kept_apart(
    small: Networks, pair: ImageText, tmp_path: Path
) -> None:
    first = train_mapper(small, pair, PROMPT, NEUTRAL, steps=1, seed=0, work=tmp_path)
    before = [tensor.clone() for tensor in first.parameters()]
    other_pair = replace(pair, tokenizer=pair.tokenizer + " ")
    for networks, model, prompt, seed in (
        (small, pair, "old", 0),
        (small, pair, PROMPT, 1),
        (small, other_pair, PROMPT, 0),
        (replace(small, encoder=None), pair, PROMPT, 0),
    ):
        count = len(list(tmp_path.iterdir()))
        train_mapper(networks, model, prompt, NEUTRAL, steps=1, seed=seed, work=tmp_path)
        assert len(list(tmp_path.iterdir())) == count + 1
    again = train_mapper(small, pair, PROMPT, NEUTRAL, steps=1, seed=0, work=tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(before, again.parameters(), strict=True))


def test_tasks_that_ask_for_nothing_are_refused(small: Networks, pair: ImageText, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neutral: expected a text other than the prompt"):
        train_mapper(small, pair, PROMPT, PROMPT, steps=1, seed=0, work=tmp_path)
    with pytest.raises(ValueError, match="steps: expected 1 or more, got 0"):
        train_mapper(small, pair, PROMPT, NEUTRAL, steps=0, seed=0, work=tmp_path)


def test_a_pack_without_an_encoder_has_mappers_too(small: Networks, pair: ImageText, tmp_path: Path) -> None:
    bare = Networks(small.generator)
    train_mapper(bare, pair, PROMPT, NEUTRAL, steps=1, seed=0, work=tmp_path)
