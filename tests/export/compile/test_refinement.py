"""The refinement graph against plain autograd, and the promises about samples sharing a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from relatent_export.compile.step import Bases
from relatent_export.nets.coordinates import Coordinates
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from tests.export.conftest import MAX_STEPS
from tests.export.running import Arrays, autograd_refine, conditions, first_state, next_state, run
from tests.fixtures.small import SMALL

Sessions = dict[str, onnxruntime.InferenceSession]
FORMS = ("refine", "refine_unrolled")
OWN = Coordinates(torch.eye(SMALL.layers * SMALL.latent_width))
"""The code's own coordinates."""


def bases_of(form: str, networks: Networks) -> Bases:
    return {} if form == "refine_plain" else networks.bases


def codes(batch: int, seed: int = 5) -> NDArray[Any]:
    random = np.random.default_rng(seed)
    return random.standard_normal((batch, SMALL.layers, SMALL.latent_width), dtype=np.float32)


def refine(
    session: onnxruntime.InferenceSession, state: Arrays, given: Arrays, calls: int
) -> tuple[Arrays, NDArray[Any]]:
    losses = []
    for _ in range(calls):
        answer = run(session, {**state, **given})
        state = next_state(answer)
        losses.append(answer["losses"])
    return state, np.concatenate(losses, 1)


@pytest.mark.parametrize("form", [*FORMS, "refine_plain"])
def test_one_step_has_the_gradient_of_autograd(small: Networks, sessions: Sessions, form: str) -> None:
    objective, code, given = reconstruction_objective(small), codes(3), conditions(3, 32, 1)
    bases = bases_of(form, small)
    state, losses = refine(sessions[form], first_state(small, code, bases), given, 1)
    gradient, _, expected = autograd_refine(objective, bases.get("w", OWN).basis, code, given, 1)
    # Adam's first moment after one step is a tenth of the gradient.
    ours = state["state.w.m"].reshape(3, -1) / 0.1
    assert np.abs(ours - gradient.numpy()).max() <= 1e-5 * np.abs(gradient.numpy()).max()
    assert np.allclose(losses[:, 0], expected[0].numpy(), rtol=1e-5)


@pytest.mark.parametrize("form", ["refine", "refine_plain"])  # unrolled agrees with the loop, see below
def test_loss_after_a_hundred_steps_is_that_of_autograd(
    small: Networks, sessions: Sessions, form: str
) -> None:
    objective, code, given = reconstruction_objective(small), codes(2), conditions(2, 32, MAX_STEPS)
    bases = bases_of(form, small)
    state, losses = refine(sessions[form], first_state(small, code, bases), given, 100 // MAX_STEPS)
    _, _, expected = autograd_refine(objective, bases.get("w", OWN).basis, code, given, 100)
    assert losses.shape == (2, 100)
    assert np.all(losses[:, -1] < 0.8 * losses[:, 0])  # it does descend
    assert np.allclose(losses[:, -1], expected[-1].numpy(), rtol=0.01)
    assert np.allclose(state["state.best_loss"][:, 0], losses.min(1))


def test_loop_and_unrolled_graphs_agree(small: Networks, sessions: Sessions) -> None:
    given = conditions(2, 32, [MAX_STEPS, 2])
    looped = run(sessions["refine"], {**first_state(small, codes(2)), **given})
    unrolled = run(sessions["refine_unrolled"], {**first_state(small, codes(2)), **given})
    for name in looped:
        assert np.allclose(looped[name], unrolled[name], rtol=1e-4, atol=1e-6, equal_nan=True), name


@pytest.mark.parametrize("form", FORMS)
def test_a_sample_is_frozen_once_its_steps_are_done(small: Networks, sessions: Sessions, form: str) -> None:
    given = conditions(3, 32, [0, 2, MAX_STEPS])
    start = first_state(small, codes(3))
    answer = run(sessions[form], {**start, **given})
    assert np.array_equal(answer["next.w"][0], start["state.w"][0])
    assert np.isinf(answer["next.best_loss"][0, 0])
    assert list(answer["next.step"][:, 0]) == [0, 2, MAX_STEPS]
    done = [[False] * MAX_STEPS, [True] * 2 + [False] * (MAX_STEPS - 2), [True] * MAX_STEPS]
    assert np.array_equal(~np.isnan(answer["losses"]), np.array(done))


def test_no_steps_at_all_leaves_everything_and_keeps_shapes(small: Networks, sessions: Sessions) -> None:
    start = first_state(small, codes(2))
    answer = run(sessions["refine"], {**start, **conditions(2, 32, 0)})
    assert answer["losses"].shape == (2, MAX_STEPS)
    assert np.isnan(answer["losses"]).all()
    for name, value in start.items():
        assert np.array_equal(answer[name.replace("state.", "next.", 1)], value), name


def test_more_steps_than_the_graph_holds_do_not_overflow_it(small: Networks, sessions: Sessions) -> None:
    start = first_state(small, codes(1))
    answer = run(sessions["refine"], {**start, **conditions(1, 32, 100)})
    assert answer["losses"].shape == (1, MAX_STEPS)
    assert answer["next.step"][0, 0] == MAX_STEPS


def test_a_trajectory_does_not_depend_on_batch_mates(small: Networks, sessions: Sessions) -> None:
    given = conditions(4, 32, MAX_STEPS)
    together, _ = refine(sessions["refine"], first_state(small, codes(4)), given, 4)
    one = slice(2, 3)
    alone, _ = refine(
        sessions["refine"],
        first_state(small, codes(4)[one]),
        {name: value[one] for name, value in given.items()},
        4,
    )
    scale = np.abs(alone["state.w"]).max()
    assert np.abs(together["state.w"][one] - alone["state.w"]).max() <= 1e-4 * scale


def test_each_sample_obeys_its_own_conditions(small: Networks, sessions: Sessions) -> None:
    given = conditions(2, 32, MAX_STEPS)
    given["learning_rate"][1] = 0.0
    start = first_state(small, codes(2))
    answer = run(sessions["refine"], {**start, **given})
    assert np.array_equal(answer["next.w"][1], start["state.w"][1])
    assert not np.allclose(answer["next.w"][0], start["state.w"][0])
    given["weight.pixel"][:] = given["weight.perceptual"][:] = 0.0
    still = run(sessions["refine"], {**start, **given})  # only the anchor is left, and w is at it
    assert np.all(still["losses"] == 0)


def test_what_the_mask_hides_does_not_count(small: Networks, sessions: Sessions) -> None:
    given = conditions(1, 32, 1, perceptual=0.0)
    given["mask"][:] = 0
    given["mask"][:, :16] = 255
    other = {**given, "target": given["target"].copy()}
    other["target"][:, 16:] = 255 - other["target"][:, 16:]
    start = first_state(small, codes(1))
    first, second = (run(sessions["refine"], {**start, **feed}) for feed in (given, other))
    assert np.array_equal(first["losses"], second["losses"], equal_nan=True)
    assert np.array_equal(first["next.w"], second["next.w"])
