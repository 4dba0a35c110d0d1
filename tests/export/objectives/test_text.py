"""Refinement towards a text: what it is given, where it goes, and that other packs stay as they were."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from relatent.core.methods import FurtherInput
from relatent.core.refinement import graph_inputs, initial_state, next_state, state_inputs
from relatent_export.compile.precision import Precision
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_bytes, to_float
from relatent_export.objectives.methods import METHODS, available, describe
from relatent_export.objectives.text import TextObjective, text_objective
from relatent_export.text.encoding import ImageEmbedding, embed_texts
from tests.export.objectives.conftest import MAX_STEPS, RATES, Traced
from tests.fixtures.small import SMALL

BATCH = 2


@pytest.fixture(scope="module")
def objective(networks: Networks) -> TextObjective:
    return text_objective(networks)


def test_the_text_is_a_further_input_that_is_nothing_unless_given(networks: Networks) -> None:
    method = describe("text", networks, RATES, {})
    assert networks.image_text is not None
    assert method.inputs["text"] == FurtherInput("float32", (networks.image_text.width,), 0.0)
    assert method.inputs.keys() == {"mask", "text"}
    assert method.graph == "refine_text"
    assert list(method.rates) == ["encoder", "mean", "latent"]


def test_a_pack_without_a_pair_is_described_as_before(networks: Networks) -> None:
    bare = dataclasses.replace(networks, image_text=None)
    assert "text" not in available(bare, [*METHODS])
    for name in set(METHODS) - {"text"}:
        assert describe(name, bare, RATES, {}) == describe(name, networks, RATES, {})


def test_the_look_of_the_image_counts_only_if_it_is_asked_for(objective: TextObjective) -> None:
    numbers = SMALL.layers * SMALL.latent_width
    assert objective.weights["pixel"] == objective.weights["perceptual"] == 0
    assert objective.weights["text"] == 1
    assert objective.weights["anchor"] == pytest.approx(0.002 * numbers)


def test_a_packs_weights_of_reconstruction_are_not_its_own(
    networks: Networks, objective: TextObjective
) -> None:
    weights = {"pixel": 1.0, "perceptual": 0.1, "anchor": 3e-4}
    assert describe("text", networks, RATES, weights).terms == objective.weights
    assert describe("hybrid", networks, RATES, weights).terms == weights


def test_the_goal_is_the_images_embedding_moved_by_the_text(
    networks: Networks, objective: TextObjective
) -> None:
    assert networks.image_text is not None
    random = torch.Generator().manual_seed(0)
    target = torch.randint(0, 256, (BATCH, 32, 32, 3), generator=random, dtype=torch.uint8)
    asked, neutral = torch.from_numpy(embed_texts(networks.image_text, ["smiling", "a person"]))
    mask = torch.full((BATCH, 32, 32), 255, dtype=torch.uint8)
    own = ImageEmbedding(networks.image_text, 32)(to_float(target))
    for text in (torch.zeros_like(asked), 2 * (asked - neutral)):
        given = {"target": target, "mask": mask, "text": text.expand(BATCH, -1)}
        expected = F.normalize(own + text, dim=1)
        torch.testing.assert_close(objective.prepare(given)["text"], expected)


def test_the_loss_is_the_weighted_sum_of_its_terms(networks: Networks) -> None:
    objective = TextObjective(networks, Precision.FLOAT32)
    assert networks.image_text is not None
    w = networks.generator.codes(torch.randn(BATCH, 8, generator=torch.Generator().manual_seed(1)), 1.0)
    target = to_bytes(networks.generator.synthesis(w))
    given = {"target": target, "mask": torch.full((BATCH, 32, 32), 255, dtype=torch.uint8)}
    prepared = objective.prepare({**given, "text": torch.ones(BATCH, networks.image_text.width)})
    moved = w + 0.1
    embedded = ImageEmbedding(networks.image_text, 32)(networks.generator.synthesis(moved))
    expected = 0.5 * (1 - (embedded * prepared["text"]).sum(1)) + 2 * 0.01
    weights = {"pixel": 0.0, "perceptual": 0.0, "anchor": 2.0, "text": 0.5}
    asked = {f"weight.{name}": torch.full((BATCH, 1), weight) for name, weight in weights.items()}
    found = objective.losses({"w": moved}, {"anchor": w}, asked, prepared)
    torch.testing.assert_close(found, expected)


def test_the_graph_goes_where_the_text_says(traced: Callable[[str], Traced], networks: Networks) -> None:
    method, pair = traced("text"), networks.image_text
    assert pair is not None
    z = torch.randn(BATCH, 8, generator=torch.Generator().manual_seed(2))
    codes = networks.generator.codes(z, 1.0)
    targets = to_bytes(networks.generator.synthesis(codes)).numpy()
    asked, neutral = embed_texts(pair, ["a smiling person", "a person"])
    embedding, scores = ImageEmbedding(pair, 32), []
    for text in (asked - neutral, neutral - asked):
        state = initial_state(method.method, codes.numpy())
        further = {"text": np.repeat(text[None], BATCH, 0)}
        inputs = graph_inputs(method.method, targets, 0.05, method.method.terms, further)
        for _ in range(3):
            steps = np.full((BATCH, 1), MAX_STEPS, np.int32)
            state = next_state(method.method, method.run({**state_inputs(state), **inputs, "steps": steps}))
        image = networks.generator.synthesis(torch.from_numpy(state["best_w"]))
        scores.append(embedding(image).numpy() @ (asked - neutral))
    assert (scores[0] > scores[1]).all()
