"""What makes another result makes another key, and nothing else does."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from relatent.core.fit import Fit
from relatent.core.methods import StartRule
from relatent.core.stopping import Plateau
from relatent.core.text import Tokens
from relatent_service.caching.keys import Came, GraphsUnknown, pixel_digest, plan_digest
from relatent_service.images.codec import Encoded, Format
from relatent_service.inversion.job import Job
from relatent_service.inversion.refinement import SavedState
from relatent_service.inversion.stopping import StopRules
from relatent_service.traffic.forecast import Work
from tests.fixtures import tiny
from tests.service.caching.plans import DOMAIN, make_graphs, make_plan


def saved(value=0.0, **changes):
    state = {name: np.full((1, *shape), value, np.float32) for name, (shape, _) in tiny.STATE.items()}
    return replace(SavedState("hybrid", state, np.ones((1, 2), np.float32)), **changes)


def texts(first):
    ids = np.array([[first, 2]], np.int64)
    return Tokens(ids, np.ones_like(ids)), Tokens(ids + 1, np.ones_like(ids))


OTHERS: dict[str, dict[str, Any]] = {
    "steps": {"rules": StopRules(21)},
    "target loss": {"rules": StopRules(20, target_loss=0.1)},
    "plateau": {"rules": StopRules(20, plateau=Plateau(5, 0.1))},
    "learning rate": {"learning_rate": 0.03},
    "weights": {"weights": {"pixel": 1.0, "perceptual": 0.5, "anchor": 0.25}},
    "restarts": {"restarts": 2},
    "start": {"start": StartRule.MEAN},
    "a code to start from": {"start": np.zeros(tiny.CODE, np.float32)},
    "another code": {"start": np.ones(tiny.CODE, np.float32)},
    "a checkpoint": {"start": saved()},
    "another checkpoint": {"start": saved(1.0)},
    "one that went on longer": {"start": saved(losses=np.ones((1, 3), np.float32))},
}
SAME: dict[str, dict[str, Any]] = {
    "time budget": {"rules": StopRules(20, time_budget=1.0)},
    "best at the deadline": {"rules": StopRules(20, best_at_deadline=True)},
    "previews": {"preview_every": 1, "checkpoint_every": 1},
    "what is made of it": {"images_after": 3, "work_after": Work({"tiny_read": 3})},
    "the least score": {"min_in_domain": 0.5},
}


def test_each_other_plan_has_another_key(pack):
    graphs = make_graphs(pack)
    plans = [make_plan(pack), *(make_plan(pack, **changes) for changes in OTHERS.values())]
    plans += [make_plan(pack, method=pack.methods["momentum"])]
    plans += [
        make_plan(replace(pack, **changes))
        for changes in ({"revision": "2" * 64}, {"domain": DOMAIN}, {"mean": pack.mean + 1})
    ]
    assert len({plan_digest(plan, graphs) for plan in plans}) == len(plans)


def test_each_other_text_has_another_key(worded_pack):
    graphs = make_graphs(worded_pack)
    plans = [make_plan(worded_pack, text=text) for text in (None, texts(1), texts(2), texts(1)[::-1])]
    assert len({plan_digest(plan, graphs) for plan in plans}) == len(plans)


@pytest.mark.parametrize("changes", SAME.values(), ids=SAME)
def test_what_makes_no_other_result_makes_no_other_key(pack, changes):
    graphs = make_graphs(pack)
    assert plan_digest(make_plan(pack, **changes), graphs) == plan_digest(make_plan(pack), graphs)


@pytest.mark.parametrize("role", ["encode", "refine", "synthesize", "assess"])
def test_a_graph_that_was_exported_anew_makes_another_key(pack, role):
    plan = make_plan(pack)
    assert plan_digest(plan, make_graphs(pack, **{role: "anew"})) != plan_digest(plan, make_graphs(pack))


def test_a_graph_that_it_does_not_run_makes_no_other_key(pack):
    plan = make_plan(pack)
    before, after = make_graphs(pack), make_graphs(pack, refine_momentum="anew", attributes="")
    assert plan_digest(plan, before) == plan_digest(plan, after)


def test_a_graph_that_does_not_say_which_it_is_makes_no_key(pack):
    with pytest.raises(GraphsUnknown, match="graph tiny_refine does not say which it is"):
        plan_digest(make_plan(pack), make_graphs(pack, refine=""))


def test_other_pixels_or_another_mask_make_another_key(pack):
    image, mask = tiny.random_image(1), np.full((8, 8), 255, np.uint8)
    other = image.copy()
    other[0, 0, 0] ^= 1
    half = mask.copy()
    half[:4] = 0
    inputs = [(image, {}), (other, {}), (image, {"mask": mask}), (image, {"mask": half})]
    digests = [pixel_digest(Job(make_plan(pack), *each)) for each in inputs]
    assert len(set(digests)) == len(digests)
    assert pixel_digest(Job(make_plan(pack), image.copy())) == digests[0]


def test_a_picture_is_known_by_its_bytes_and_by_how_they_are_read():
    picture, other = (Encoded(data, None, 0, 0, "image") for data in (b"one", b"two"))
    raw = replace(picture, format=Format.RAW_RGB, width=1, height=1)
    cames = [
        Came(picture, None, Fit.CROP),
        Came(other, None, Fit.CROP),
        Came(raw, None, Fit.CROP),
        Came(replace(raw, width=2), None, Fit.CROP),
        Came(picture, other, Fit.CROP),
        Came(picture, picture, Fit.CROP),
        Came(picture, None, Fit.PAD),
    ]
    digests = {came.digest(8) for came in cames} | {cames[0].digest(16)}
    assert len(digests) == len(cames) + 1
    assert replace(cames[0], image=replace(picture, field="elsewhere")).digest(8) in digests
