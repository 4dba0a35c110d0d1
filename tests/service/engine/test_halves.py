from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relatent.core.pack import read_pack
from relatent.core.refinement import graph_inputs, initial_state, state_inputs
from relatent_service.engine.engine import Array
from relatent_service.engine.halves import LOSSES, can_be_halved
from relatent_service.engine.runs import STEPS
from relatent_service.engine.sessions import BatchSession, Opened, open_for_cores

GRAPH = Path("model_repository/demo_refine/1/model.onnx")


class Noted:
    """A graph opened for one core; it notes the steps that it was to do in each run."""

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self.get_inputs, self.get_outputs = opened.get_inputs, opened.get_outputs
        self.steps: list[list[int]] = []

    def run(self, names: Any, inputs: Any, options: Any) -> Any:
        self.steps.append(inputs[STEPS][:, 0].tolist())
        if not np.isfinite(inputs["learning_rate"]).all():
            raise ValueError("expected a finite learning rate")
        return self._opened.run(names, inputs, options)


@pytest.fixture(scope="module")
def opened() -> Opened:
    return open_for_cores(GRAPH, 1)


def refinements(*steps: int) -> dict[str, Array]:
    """Inputs of so many, each with its own target."""
    pack = read_pack(Path("packs/demo"))
    method = pack.default_method
    size = pack.resolution
    targets = np.random.default_rng(0).integers(0, 255, (len(steps), size, size, 3), np.uint8)
    state = initial_state(method, np.repeat(pack.mean[None], len(steps), axis=0))
    given = graph_inputs(method, targets, 0.02, dict.fromkeys(method.terms, 1.0), {})
    return {**state_inputs(state), **given, STEPS: np.array(steps, np.int32)[:, None]}


@pytest.mark.parametrize(
    ("cores", "steps", "runs"),
    [
        (2, (4, 2, 5), [[2], [2], [3], [4]]),
        (4, (2, 2, 3, 4, 2, 2), [[1], [1], [1], [2], [2], [2], [2], [4]]),
    ],
)
def test_two_cores_do_half_of_the_steps_each_and_their_answer_is_that_of_one(
    opened: Opened, cores: int, steps: tuple[int, ...], runs: list[list[int]]
) -> None:
    inputs, alone = refinements(*steps), Noted(opened)
    session = BatchSession(opened, alone, cores)
    answers = dict(zip([each.name for each in opened.get_outputs()], session.run(None, inputs), strict=True))
    assert sorted(alone.steps) == runs
    for place, count in enumerate(steps):
        one = opened.run(None, {name: array[place : place + 1] for name, array in inputs.items()}, None)
        for name, array in zip(answers, one, strict=True):
            ours = answers[name][place]
            if name == LOSSES:
                ours, array = ours[:count], array[:, :count]
            np.testing.assert_array_equal(ours, array[0], err_msg=name)


def test_one_step_is_not_shared(opened: Opened) -> None:
    inputs = refinements(3, 3, 1)
    assert not can_be_halved(inputs)
    alone = Noted(opened)
    BatchSession(opened, alone, 2).run(None, inputs)
    assert [3] in alone.steps
    assert [2] not in alone.steps


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_what_fails_on_either_core_fails_the_batch(opened: Opened, wrong: int) -> None:
    inputs = refinements(2, 2, 2)
    inputs["learning_rate"][wrong] = np.nan
    with pytest.raises(ValueError, match="expected a finite learning rate"):
        BatchSession(opened, Noted(opened), 2).run(None, inputs)
