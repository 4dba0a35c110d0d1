"""What both clients ask for an estimate with, and what they make of the answer."""

from __future__ import annotations

import numpy as np
import pytest

import relatent
from relatent import PlannedCall
from relatent.client.flows import Flows
from relatent.client.retrying import Unary
from relatent.client.settings import ClientSettings
from relatent.v1 import catalog_pb2
from tests.relatent.client import fake
from tests.relatent.client.fake import Call, FakeServer
from tests.relatent.client.fake_catalog import estimate

CODE = relatent.LatentCode(np.full(fake.SHAPE, 0.5), fake.PACK, fake.REVISION)


async def test_an_estimate_comes_back_typed_and_whole(call: Call, server: FakeServer) -> None:
    told = await call(server.address, "estimate", PlannedCall.invert(steps=200))
    assert (told.steps, told.engine, told.wait, told.answer) == (207, 2.5, 0.25, 3.0)
    assert told.quota == relatent.QuotaLeft(steps=100, calls=None)
    assert isinstance(told.refusal, relatent.OverloadedError)
    assert (told.refusal.reason, told.refusal.retry_after) == ("STEPS_QUOTA", 12.0)
    assert told.refusal.address == server.address


def test_a_refusal_names_who_gave_it_whoever_is_asked_next() -> None:
    flows = Flows(ClientSettings(["a:1", "b:1"]))
    flow = flows.estimate(PlannedCall.invert(steps=1), None, None)
    assert isinstance(next(flow), Unary)
    flows.addresses.give_up("a:1")  # as another call does meanwhile
    with pytest.raises(StopIteration) as ended:
        flow.send(estimate())
    assert ended.value.value.refusal.address == "a:1"


async def test_the_call_is_held_against_the_timeout_that_it_would_have(
    call: Call, server: FakeServer
) -> None:
    planned = PlannedCall.invert(steps=1)
    await call(server.address, "estimate", planned, client={"timeout": 7.0})
    await call(server.address, "estimate", planned, call_timeout=2.5)
    assert [request.deadline.ToMilliseconds() for request in server.requests] == [7000, 2500]
    with pytest.raises(relatent.InputError, match="timeout: expected more than 0 seconds"):
        await call(server.address, "estimate", planned, call_timeout=0)
    assert not planned.message.HasField("deadline")


def test_each_call_is_planned_as_it_is_made() -> None:
    options = relatent.InvertOptions(pack="tiny", steps=9)
    move = relatent.Move("brightness", [0.0, 1.0])

    def message(planned: PlannedCall) -> catalog_pb2.EstimateRequest:
        return planned.message

    inverted = message(PlannedCall.invert(**options)).invert
    assert (inverted.options.pack, inverted.options.refinement.steps) == ("tiny", 9)
    of_code = message(PlannedCall.edit([move], CODE, within=True)).edit
    assert (of_code.latent.pack, of_code.HasField("region")) == (fake.PACK, True)
    assert of_code.operations[0].direction.strengths == [0.0, 1.0]
    of_image = message(PlannedCall.edit([move], invert=options)).edit
    assert (of_image.image.options, of_image.HasField("region")) == (inverted.options, False)
    restored = message(PlannedCall.restore("upscale", **options)).restore
    assert restored.options.inversion == inverted.options
    assert restored.options.preset
    assert message(PlannedCall.diffuse(**options)).diffuse.options == inverted.options
    assert len(message(PlannedCall.synthesize([CODE, CODE])).synthesize.latents) == 2
    assert message(PlannedCall.sample([1, 2], pack="tiny")).sample.seeds == [1, 2]
    with pytest.raises(relatent.InputError, match="seeds"):
        PlannedCall.sample([-1])
