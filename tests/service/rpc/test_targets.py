"""Exact edits over the wire, by the real graphs of the pack `tiny`."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import numpy as np
import pytest

from relatent.v1 import editing_pb2 as v1
from relatent.v1 import inversion_pb2
from tests.fixtures import tiny
from tests.fixtures.requests import code, image, latent, read_code, read_pixels, reason, violated

pytestmark = pytest.mark.asyncio(loop_scope="function")


def goal(attribute: str, **fields: Any) -> v1.AttributeGoal:
    return v1.AttributeGoal(attribute=attribute, **fields)


def target(*goals: v1.AttributeGoal, hold: list[str] | None = None, **fields: Any) -> v1.Operation:
    held = None if hold is None else v1.AttributeNames(names=hold)
    return v1.Operation(attribute_target=v1.AttributeTarget(goals=goals, hold=held, **fields))


async def edit(running: Any, *operations: v1.Operation, timeout: float = 10, **fields: Any) -> Any:
    request = v1.EditRequest(**{"latent": latent(code(1)), "operations": operations, **fields})
    return await running.editing.Edit(request, timeout=timeout)


async def refused(running: Any, *operations: v1.Operation) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        await edit(running, *operations)
    return caught.value


def reads(response: Any) -> Any:
    return tiny.readings(np.stack([read_pixels(edited.image) for edited in response.images]))


async def test_the_image_reads_what_was_asked_in_its_unit_and_the_rest_stays(running: Any) -> None:
    before = tiny.readings(tiny.generate(code(1)[None]))[0]
    response = await edit(running, target(goal("brightness", to=[60.0], unit="%")))
    (found,) = reads(response)
    assert found[0] == pytest.approx(0.6, abs=0.011)
    assert found[1] == pytest.approx(before[1], abs=0.021)
    (edited,) = response.images
    (outcome,) = edited.targets
    assert (outcome.operation, outcome.end) == (0, v1.TARGET_END_REACHED)
    brightness, redness = outcome.attributes
    assert (brightness.role, redness.role) == (v1.ATTRIBUTE_ROLE_ASKED, v1.ATTRIBUTE_ROLE_HELD)
    assert brightness.before == pytest.approx(100 * before[0], abs=1e-3)
    assert brightness.asked == pytest.approx(60)
    assert brightness.reached == pytest.approx(100 * found[0], abs=1e-3)
    assert redness.reached == pytest.approx(found[1], abs=1e-5)
    np.testing.assert_array_equal(tiny.generate(read_code(edited.latent)[None])[0], read_pixels(edited.image))


async def test_a_change_several_goals_and_a_strip_are_reached_at_once(running: Any) -> None:
    before = tiny.readings(tiny.generate(code(1)[None]))[0]
    goals = goal("brightness", by=[-5.0]), goal("redness", to=[-0.1, 0.0, 0.1])
    response = await edit(running, target(*goals))
    found = reads(response)
    np.testing.assert_allclose(found[:, 0], before[0] - 0.05, atol=0.011)
    np.testing.assert_allclose(found[:, 1], (-0.1, 0, 0.1), atol=0.021)
    assert [edited.strength for edited in response.images] == pytest.approx([-0.1, 0.0, 0.1])


async def test_targets_and_plain_moves_apply_in_order(running: Any) -> None:
    move = v1.Operation(direction=v1.DirectionMove(direction="detail", strengths=[1.0]))
    aim = target(goal("brightness", to=[55.0]))
    last = await edit(running, move, aim)
    assert reads(last)[0, 0] == pytest.approx(0.55, abs=0.011)
    first = await edit(running, aim, move)
    moved = read_code(first.images[0].latent) - tiny.directions()["detail"]
    np.testing.assert_array_equal(first.images[0].targets[0].operation, 0)
    assert tiny.readings(tiny.generate(moved[None]))[0, 0] == pytest.approx(0.55, abs=0.011)


async def test_what_is_not_held_may_move(running: Any) -> None:
    response = await edit(running, target(goal("brightness", to=[60.0]), hold=[]))
    assert response.images[0].targets[0].attributes[1].role == v1.ATTRIBUTE_ROLE_FREE
    assert reads(response)[0, 0] == pytest.approx(0.6, abs=0.011)


async def test_a_goal_out_of_range_ends_at_its_end_and_says_so(running: Any) -> None:
    response = await edit(running, target(goal("redness", to=[4.0])))
    (outcome,) = response.images[0].targets
    assert outcome.end == v1.TARGET_END_RANGE
    assert outcome.attributes[1].asked == pytest.approx(4)
    assert outcome.attributes[1].reached == pytest.approx(reads(response)[0, 1], abs=1e-5)


async def test_an_image_is_inverted_and_then_edited_exactly(running: Any) -> None:
    source = v1.ImageSource(image=image(3), options=inversion_pb2.InversionOptions(pack="tiny"))
    request = v1.EditRequest(image=source, operations=[target(goal("brightness", by=[5.0]))])
    response = await running.editing.Edit(request, timeout=20)
    code_found = read_code(response.inversion.latent)
    before = tiny.readings(tiny.generate(code_found[None]))[0]
    assert reads(response)[0, 0] == pytest.approx(before[0] + 0.05, abs=0.011)


async def test_a_time_budget_ends_it_with_the_best_so_far(running: Any) -> None:
    aim = target(goal("brightness", to=[60.0]))
    aim.attribute_target.time_budget.FromNanoseconds(1)
    response = await edit(running, aim)
    (outcome,) = response.images[0].targets
    assert (outcome.rounds, outcome.end) == (0, v1.TARGET_END_TIME_BUDGET)
    np.testing.assert_array_equal(read_code(response.images[0].latent), code(1))


async def test_edits_at_once_are_answered_each_by_itself(running: Any) -> None:
    wanted = [40.0, 45.0, 55.0, 60.0]
    answers = await asyncio.gather(*(edit(running, target(goal("brightness", to=[v]))) for v in wanted))
    found = [reads(answer)[0, 0] for answer in answers]
    np.testing.assert_allclose(found, [v / 100 for v in wanted], atol=0.011)


@pytest.mark.parametrize(
    ("operation", "field", "why"),
    [
        (target(), "goals", "expected at least one"),
        (target(goal("charm", to=[1])), "goals[0].attribute", "no attribute 'charm'; there are: brightness"),
        (target(goal("brightness")), "goals[0]", "expected either to or by, got neither"),
        (target(goal("brightness", to=[1], by=[1])), "goals[0]", "got both"),
        (target(goal("brightness", to=[1], unit="deg")), "goals[0].unit", "expected '%'"),
        (target(goal("redness", to=[1], unit="%")), "goals[0].unit", "expected no unit for 'redness'"),
        (target(goal("brightness", to=[float("nan")])), "goals[0].to[0]", "expected a finite number"),
        (target(goal("brightness", by=[1e300])), "goals[0].by[0]", "expected a value near 0 to 100"),
        (
            target(goal("brightness", to=[1]), goal("brightness", by=[1])),
            "goals[1].attribute",
            "'brightness' a second time",
        ),
        (
            target(goal("brightness", to=[1]), hold=["brightness"]),
            "hold.names[0]",
            "got 'brightness', which has one",
        ),
        (target(goal("brightness", to=[1]), hold=["charm"]), "hold.names[0]", "no attribute 'charm'"),
        (target(goal("brightness", to=[1]), tolerance=-1), "tolerance", "expected a share above 0"),
        (target(goal("brightness", to=[1]), max_rounds=17), "max_rounds", "expected 0 to 16, got 17"),
        (
            target(goal("brightness", to=[1, 2]), goal("redness", to=[0, 1])),
            "goals[1]",
            "goals[0] holds several already",
        ),
    ],
)
async def test_what_cannot_be_asked_is_named(running: Any, operation: Any, field: str, why: str) -> None:
    error = await refused(running, operation)
    assert violated(error) == f"operations[0].attribute_target.{field}"
    assert why in error.details()
    assert error.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


async def test_two_strips_are_refused_by_the_second(running: Any) -> None:
    move = v1.Operation(direction=v1.DirectionMove(direction="detail", strengths=[0.0, 1.0]))
    error = await refused(running, move, target(goal("brightness", to=[40.0, 60.0])))
    assert violated(error) == "operations[1]"


async def test_the_reasons_are_stable(running: Any) -> None:
    assert reason(await refused(running, target(goal("charm", to=[1])))) == "UNKNOWN_ATTRIBUTE"
    assert reason(await refused(running, target(goal("redness", to=[1], unit="deg")))) == "UNKNOWN_UNIT"
