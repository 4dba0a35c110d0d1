"""Methods as manifests describe them, and the state between a graph's calls."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from relatent.core.graphs import Role
from relatent.core.methods import StartRule, method_table, read_method
from relatent.core.refinement import answer_of, graph_inputs, initial_state, next_state, state_inputs
from relatent.core.spaces import CodePart, CodeParts, Space

TABLE: dict[str, Any] = {
    "graph": "refine",
    "space": "w+",
    "max_steps": 4,
    "default_steps": 20,
    "rates": {"mean": 0.05, "latent": 0.02},
    "terms": {"pixel": 1.0, "anchor": 0.25},
    "inputs": {"gain": {"dtype": "float32", "shape": [2], "default": 0.5}},
    "state": {
        "w": {"shape": [2, 3], "initial": "code"},
        "m": {"shape": [6], "initial": "zeros"},
        "best_loss": {"shape": [1], "initial": "infinity"},
    },
    "answer": {"w": "w"},
}
METHOD = read_method("hybrid", TABLE)


def changed(path: str, value: Any) -> dict[str, Any]:
    table = copy.deepcopy(TABLE)
    *parents, last = path.split(".")
    inner = table
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return table


def test_a_method_is_written_as_it_was_read() -> None:
    assert method_table(METHOD) == TABLE
    assert read_method("hybrid", method_table(METHOD)) == METHOD


def test_its_first_start_is_the_default() -> None:
    assert METHOD.default_start is StartRule.MEAN
    assert METHOD.rates == {StartRule.MEAN: 0.05, StartRule.LATENT: 0.02}


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("graph", "synthesize", "graph: expected the role of a refinement graph"),
        ("graph", "../x", "graph: expected the role"),
        ("space", "z", "space: expected a space that codes are of, got 'z'"),
        ("space", "p", "space: expected a space that codes are of, got 'p'"),
        ("max_steps", 0, "max_steps of at least 1"),
        ("rates", {}, "rates: expected one or more of encoder, mean, latent"),
        ("rates", {"middle": 1.0}, "rates: expected one or more"),
        ("rates.mean", float("nan"), "rates.mean: expected a finite number"),
        ("terms.pixel", float("inf"), "terms.pixel: expected a finite number"),
        ("answer", {}, "answer: expected an entry w"),
        ("answer", {"w": "best_w"}, "state: expected an entry best_w"),
        ("state.w.initial", "ones", "ones"),
        ("inputs", {"steps": TABLE["inputs"]["gain"]}, "inputs.steps: every refinement graph has"),
        ("inputs", {"state.w": TABLE["inputs"]["gain"]}, "inputs.state.w: every refinement graph has"),
        ("inputs.gain.dtype", "U3", "inputs.gain.dtype: expected a kind of number"),
    ],
)
def test_a_table_that_describes_no_method_is_refused_by_its_entry(
    path: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_method("hybrid", changed(path, value))


def test_a_method_needs_a_name_that_a_file_can_have() -> None:
    with pytest.raises(ValueError, match=r"methods\.A b: expected a name"):
        read_method("A b", TABLE)


def test_the_state_starts_as_the_method_says() -> None:
    codes = np.arange(12, dtype=np.float32).reshape(2, 2, 3)
    state = initial_state(METHOD, codes)
    np.testing.assert_array_equal(state["w"], codes)
    np.testing.assert_array_equal(state["m"], np.zeros((2, 6)))
    np.testing.assert_array_equal(state["best_loss"], np.full((2, 1), np.inf))
    assert {array.dtype.name for array in state.values()} == {"float32"}
    shape = CodeParts(Role.SYNTHESIZE, {"w": CodePart("float32", (2, 3))})
    answer = answer_of(METHOD, shape, state)
    assert answer.space is Space.W_PLUS
    np.testing.assert_array_equal(answer.w, codes)


def test_a_graph_is_fed_and_read_by_its_own_names() -> None:
    targets = np.zeros((2, 4, 4, 3), np.uint8)
    inputs = graph_inputs(METHOD, targets, 0.05, {"pixel": 2.0, "anchor": 0.0}, {})
    assert inputs.keys() == {"target", "learning_rate", "weight.pixel", "weight.anchor", "gain"}
    np.testing.assert_array_equal(inputs["weight.pixel"], [[2], [2]])
    np.testing.assert_array_equal(inputs["gain"], [[0.5, 0.5], [0.5, 0.5]])
    given = np.array([[1, 2], [3, 4]], np.float32)
    assert graph_inputs(METHOD, targets, 0.05, METHOD.terms, {"gain": given})["gain"] is given
    state = initial_state(METHOD, np.ones((2, 2, 3), np.float32))
    fed = state_inputs(state)
    assert fed.keys() == {"state.w", "state.m", "state.best_loss"}
    outputs = {name.replace("state.", "next."): array + 1 for name, array in fed.items()}
    np.testing.assert_array_equal(next_state(METHOD, outputs)["w"], state["w"] + 1)
