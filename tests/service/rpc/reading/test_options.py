import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration

from relatent.core.methods import StartRule
from relatent.core.stopping import Plateau
from relatent.v1 import inversion_pb2 as v1
from relatent.v1 import types_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.errors import InvalidField
from relatent_service.inversion.refinement import SavedState, starting_at
from relatent_service.inversion.stopping import StopRules
from relatent_service.rpc.messages import checkpoint_message
from relatent_service.rpc.reading.options import read_inversion
from relatent_service.settings import read_settings
from tests.fixtures import tiny
from tests.fixtures.requests import code, image, latent


@pytest.fixture
def read(pack):
    def read(options, picture=None, *flags):
        settings = read_settings(flags, {})
        return read_inversion(ServedPacks({"tiny": pack}), settings, picture or image(), options)

    return read


def refine(**fields):
    return v1.InversionOptions(refinement=v1.Refinement(**fields))


def checkpoint(pack, steps=4):
    start = starting_at(pack.default_method, code(1)[None])
    done = SavedState("hybrid", start.state, np.linspace(2, 1, steps, dtype=np.float32)[None], 0.03)
    return checkpoint_message(pack, done)


def spoilt(message, **changes):
    copy = type(message)()
    copy.CopyFrom(message)
    for name, value in changes.items():
        copy.ClearField(name)
        if isinstance(value, list):
            getattr(copy, name).extend(value)
        else:
            setattr(copy, name, value)
    return copy


def test_defaults_are_the_packs(read):
    plan = read(v1.InversionOptions()).plan
    assert plan.start is StartRule.ENCODER
    assert plan.rules == StopRules(steps=20)
    assert (plan.learning_rate, plan.weights) == (0.02, tiny.WEIGHTS)
    assert read(v1.InversionOptions(mean=v1.MeanStart())).plan.learning_rate == 0.05
    assert read(v1.InversionOptions(latent=latent(code(1)))).plan.learning_rate == 0.02
    assert read(v1.InversionOptions(), None, "--max-steps", "7").plan.rules.steps == 7


def test_every_wish_is_taken_over(read):
    plan = read(
        refine(
            steps=7,
            learning_rate=0.5,
            weights={"anchor": 2},
            target_loss=0.25,
            plateau=v1.Plateau(steps=3, min_improvement=0.5),
            time_budget=Duration(seconds=1, nanos=500_000_000),
            best_at_deadline=True,
        )
    ).plan
    assert plan.rules == StopRules(7, 0.25, Plateau(3, 0.5), 1.5, True)
    assert plan.learning_rate == 0.5
    assert plan.weights == tiny.WEIGHTS | {"anchor": 2}


def test_a_checkpoint_brings_its_step_size_unless_another_is_wished(read, pack):
    start = checkpoint(pack)
    assert read(v1.InversionOptions(checkpoint=start)).plan.learning_rate == np.float32(0.03)
    both = v1.InversionOptions(checkpoint=start, refinement=v1.Refinement(learning_rate=0.5))
    assert read(both).plan.learning_rate == 0.5
    unknown = spoilt(start, learning_rate=0.0)
    assert read(v1.InversionOptions(checkpoint=unknown)).plan.learning_rate == 0.02


NAN = float("nan")


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (v1.InversionOptions(fit=9), "options.fit"),  # type: ignore[arg-type]
        (v1.InversionOptions(output_format=9), "options.output_format"),  # type: ignore[arg-type]
        (v1.InversionOptions(pack="no"), "options.pack"),
        (refine(steps=2001), "options.refinement.steps"),
        (refine(learning_rate=0), "options.refinement.learning_rate"),
        (refine(learning_rate=-1), "options.refinement.learning_rate"),
        (refine(learning_rate=NAN), "options.refinement.learning_rate"),
        (refine(weights={"smile": 1}), "options.refinement.weights['smile']"),
        (refine(weights={"pixel": -1}), "options.refinement.weights['pixel']"),
        (refine(weights={"pixel": NAN}), "options.refinement.weights['pixel']"),
        (refine(weights={"pixel": 0, "perceptual": 0}), "options.refinement.weights"),
        (refine(target_loss=NAN), "options.refinement.target_loss"),
        (refine(plateau=v1.Plateau(min_improvement=0.5)), "options.refinement.plateau.steps"),
        (refine(plateau=v1.Plateau(steps=1)), "options.refinement.plateau.min_improvement"),
        (
            refine(plateau=v1.Plateau(steps=1, min_improvement=1)),
            "options.refinement.plateau.min_improvement",
        ),
        (refine(time_budget=Duration()), "options.refinement.time_budget"),
        (refine(time_budget=Duration(seconds=-1)), "options.refinement.time_budget"),
        (refine(time_budget=Duration(nanos=2 * 10**9)), "options.refinement.time_budget"),
        (refine(mask=types_pb2.Image(format=9)), "options.refinement.mask.format"),  # type: ignore[arg-type]
        (v1.InversionOptions(latent=latent(code(1), revision="")), "options.latent.revision"),
    ],
)
def test_a_wrong_option_is_refused_by_its_whole_path(read, options, field):
    with pytest.raises(InvalidField) as caught:
        read(options)
    assert caught.value.field == field
    assert "expected" in caught.value.description or "there are" in caught.value.description


def test_a_checkpoint_must_be_whole_and_the_packs(read, pack):
    whole = checkpoint(pack)
    state = list(whole.state)
    best_loss = [tensor.name for tensor in state].index("best_loss")
    cases = {
        "pack": spoilt(whole, pack="other"),
        "revision": spoilt(whole, revision="2" * 64),
        "steps": spoilt(whole, steps=10**6),
        "losses": spoilt(whole, losses=[1.0]),
        "learning_rate": spoilt(whole, learning_rate=NAN),
        "state": spoilt(whole, state=state[:-1]),
        "state[0].shape": spoilt(whole, state=[spoilt(state[0], shape=[8]), *state[1:]]),
        "state[0].values": spoilt(whole, state=[spoilt(state[0], values=b"123"), *state[1:]]),
        f"state[{best_loss}].values": spoilt(
            whole,
            state=[
                spoilt(tensor, values=np.array([NAN], "<f4").tobytes()) if index == best_loss else tensor
                for index, tensor in enumerate(state)
            ],
        ),
    }
    read(v1.InversionOptions(checkpoint=whole))
    for field, broken in cases.items():
        with pytest.raises(InvalidField) as caught:
            read(v1.InversionOptions(checkpoint=broken))
        assert caught.value.field == f"options.checkpoint.{field}"
    doubled = spoilt(whole, state=[*state, state[0]])
    with pytest.raises(InvalidField, match="each once"):
        read(v1.InversionOptions(checkpoint=doubled))
    infinite = spoilt(whole, losses=[1, 2, float("inf"), 4])
    with pytest.raises(InvalidField, match="losses"):
        read(v1.InversionOptions(checkpoint=infinite))
