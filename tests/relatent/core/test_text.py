"""Where texts take styles, by StyleCLIP's own formulation, and what a pack knows of texts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent.core.text import TextModel, read_text_model, text_table

S, E = 6, 4
RANDOM = np.random.default_rng(2)
TABLE: dict[str, Any] = {
    "context": 8,
    "pad": 0,
    "width": E,
    "neutral": "a person",
    "beta": 0.2,
    "strength": 1.5,
}


def unit(*shape: int) -> NDArray[np.float32]:
    drawn = RANDOM.normal(size=shape)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True), np.float32)


TENSORS = {"relevance": unit(S, E), "deviation": np.linspace(0.5, 3, S).astype(np.float32)}


@pytest.fixture
def model() -> TextModel:
    return read_text_model(TABLE, "{}", TENSORS)


def by_the_paper(neutral: NDArray[Any], prompt: NDArray[Any], beta: float) -> list[float]:
    """Channel by channel: Δs_c = Δi_c · Δt where that is beta or more, in units of the most relevant's."""
    delta = [float(p) - float(n) for p, n in zip(prompt, neutral, strict=True)]
    length = sum(each * each for each in delta) ** 0.5
    relevance = [
        sum(float(r) * d / length for r, d in zip(row, delta, strict=True)) for row in TENSORS["relevance"]
    ]
    most = max(map(abs, relevance))
    return [
        float(TENSORS["deviation"][c]) * each / most if abs(each) >= beta else 0.0
        for c, each in enumerate(relevance)
    ]


@pytest.mark.parametrize("beta", [0.01, 0.3, 0.6])
def test_a_change_is_that_of_styleclips_global_directions(model: TextModel, beta: float) -> None:
    for _ in range(5):
        neutral, prompt = unit(E), unit(E)
        found = model.change(neutral, prompt, beta)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, by_the_paper(neutral, prompt, beta), rtol=1e-4, atol=1e-6)


def test_a_higher_beta_leaves_fewer_channels_and_moves_these_as_far(model: TextModel) -> None:
    neutral, prompt = unit(E), unit(E)
    way = (prompt - neutral) / np.linalg.norm(prompt - neutral)
    relevance = np.abs(TENSORS["relevance"] @ way)
    whole, order = model.change(neutral, prompt, 1e-6), np.argsort(relevance)
    assert (whole != 0).all()
    for dropped in range(1, S):
        beta = float(relevance[order[dropped - 1]] + relevance[order[dropped]]) / 2
        found = model.change(neutral, prompt, beta)
        assert (found[order[:dropped]] == 0).all()
        np.testing.assert_array_equal(found[order[dropped:]], whole[order[dropped:]])


def test_the_most_relevant_channel_moves_by_its_deviation_and_back_for_the_texts_turned_round(
    model: TextModel,
) -> None:
    neutral, prompt = unit(E), unit(E)
    found = model.change(neutral, prompt, 0.2)
    assert np.abs(found / TENSORS["deviation"]).max() == pytest.approx(1, rel=1e-6)
    np.testing.assert_allclose(model.change(prompt, neutral, 0.2), -found, rtol=1e-6)


def test_where_nothing_is_relevant_nothing_moves(model: TextModel) -> None:
    neutral, prompt = unit(E), unit(E)
    assert not model.change(neutral, prompt, 0.9999).any()
    assert not model.change(neutral, neutral, 0.2).any()
    blind = replace(model, relevance=np.zeros((S, E), np.float32))
    assert not blind.change(neutral, prompt, 0.2).any()


def test_what_is_written_is_read_again(model: TextModel) -> None:
    assert text_table(model) == TABLE
    assert (model.tokenizer, model.context, model.pad, model.width) == ("{}", 8, 0, E)
    assert (model.neutral, model.beta, model.strength) == ("a person", 0.2, 1.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"context": 0},
        {"width": 0},
        {"pad": -1},
        {"beta": 0.0},
        {"beta": 1.0},
        {"strength": 0.0},
        {"strength": -1.0},
    ],
)
def test_a_number_out_of_its_range_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="text: expected context and width of 1 or more, pad of 0 or more"):
        read_text_model(TABLE | changes, "{}", TENSORS)


@pytest.mark.parametrize("name", ["beta", "strength"])
def test_a_number_that_is_none_is_refused_by_its_field(name: str) -> None:
    with pytest.raises(ValueError, match=rf"text\.{name}: expected a finite number, got nan"):
        read_text_model(TABLE | {name: float("nan")}, "{}", TENSORS)


@pytest.mark.parametrize("missing", [*TABLE, *TENSORS])
def test_what_is_missing_is_named(missing: str) -> None:
    table = {name: value for name, value in TABLE.items() if name != missing}
    tensors = {name: array for name, array in TENSORS.items() if name != missing}
    with pytest.raises(KeyError, match=missing):
        read_text_model(table, "{}", tensors)
