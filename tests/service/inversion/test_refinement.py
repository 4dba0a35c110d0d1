import numpy as np
import pytest

from relatent.core.refinement import graph_inputs
from relatent_service.engine.engine import EngineUnavailable
from relatent_service.inversion.refinement import LossNotFinite, Refinement, starting_at
from relatent_service.traffic.call import Call
from tests.fixtures import tiny
from tests.fixtures.requests import code

WEIGHTS = {"pixel": 1.0, "perceptual": 0.5, "anchor": 0.0}


def refinement(pack, start=None, total=20, rate=0.02):
    method = pack.default_method
    inputs = graph_inputs(method, tiny.random_image(1)[None], rate, WEIGHTS, {})
    start = start or starting_at(method, code(1)[None])
    return Refinement("tiny_refine", method, pack.spaces[method.space], inputs, start, total)


class Models:
    """Answers as told."""

    def __init__(self, *answers):
        self._answers = list(answers)
        self.asked = []

    async def refine(self, graph, inputs, call, timeout):
        self.asked.append({name: array.copy() for name, array in inputs.items()})
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer, 0.25


def answer(number, losses):
    state = {
        f"next.{name}": np.full((1, *shape), number, np.float32) for name, (shape, _) in tiny.STATE.items()
    }
    return state | {"losses": np.array([losses], np.float32)}


def test_the_state_starts_as_the_method_says(pack):
    start = starting_at(pack.default_method, code(1)[None])
    for name, (shape, kind) in tiny.STATE.items():
        expected = {"code": code(1), "zeros": np.zeros(shape), "infinity": np.full(shape, np.inf)}[kind]
        np.testing.assert_array_equal(start.state[name], expected[None])
        assert start.state[name].dtype == np.float32
    assert start.losses.shape == (1, 0)


async def test_a_chunk_replaces_the_state_and_keeps_the_losses(pack):
    models = Models(answer(1, [4, 3, 2, 1]), answer(2, [0.5, 0.4, np.nan, np.nan]))
    work = refinement(pack)
    assert await work.advance(models, 4, Call(), None) == 0.25
    assert work.steps == 4
    await work.advance(models, 2, Call(), None)
    np.testing.assert_allclose(work.losses, [4, 3, 2, 1, 0.5, 0.4])
    assert (work.best_code.w == 2).all()
    assert models.asked[0]["steps"].tolist() == [[4]]
    assert models.asked[1]["steps"].tolist() == [[2]]
    assert (models.asked[1]["state.w"] == 1).all()
    assert models.asked[0]["learning_rate"].tolist() == [[np.float32(0.02)]]
    assert {name.split(".")[1] for name in models.asked[0] if name.startswith("weight.")} == WEIGHTS.keys()
    assert models.asked[0]["target"].shape == (1, 8, 8, 3)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [(EngineUnavailable("gone"), EngineUnavailable), (answer(9, [1, np.nan, 1, 1]), LossNotFinite)],
)
async def test_a_chunk_that_fails_leaves_everything_as_it_was(pack, failure, kind):
    models = Models(answer(1, [4, 3, 2, 1]), failure, answer(3, [1, 1, 1, 1]))
    work = refinement(pack)
    await work.advance(models, 4, Call(), None)
    with pytest.raises(kind) as caught:
        await work.advance(models, 4, Call(), None)
    if kind is LossNotFinite:
        assert (caught.value.steps, caught.value.at_start) == (5, False)
    assert work.steps == 4
    await work.advance(models, 4, Call(), None)
    assert (models.asked[2]["state.w"] == 1).all()
    assert work.steps == 8


async def test_unused_places_of_the_losses_do_not_matter(pack):
    work = refinement(pack)
    await work.advance(Models(answer(1, [1, np.nan, np.nan, np.nan])), 1, Call(), None)
    assert work.losses.tolist() == [1]


async def test_a_checkpoint_is_not_changed_by_what_comes_after(pack):
    models = Models(answer(1, [4, 3, 2, 1]), answer(2, [1, 1, 1, 1]))
    work = refinement(pack)
    await work.advance(models, 4, Call(), None)
    checkpoint = work.saved()
    await work.advance(models, 4, Call(), None)
    assert (checkpoint.state["w"] == 1).all()
    assert checkpoint.losses.tolist() == [[4, 3, 2, 1]]
    assert checkpoint.learning_rate == np.float32(0.02)
    assert refinement(pack, checkpoint).steps == 4
