"""Exact edits of the demo pack through the real service and its Triton, in every space."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

import relatent
from relatent.core.pack import read_pack
from tests.system.processes import ServiceProcess

ROOT = Path(__file__).parents[2]
PACK = read_pack(ROOT / "packs/demo")
DRAWINGS = sorted((ROOT / "packs/demo/drawings").glob("*.png"))
METHODS = ("encoder", "optimize_w", "multi_code", "layered", "feature")
"""One of each space."""


@pytest.mark.parametrize("method", METHODS)
def test_a_code_of_every_space_reaches_its_goal_and_the_rest_stays(
    client: relatent.Client, method: str
) -> None:
    latent = client.invert(DRAWINGS[2], method=method, steps=0 if method == "encoder" else 20).latent
    wanted = relatent.Reach([relatent.Goal("yaw", by=7.5, unit="deg")])
    (edited,) = client.edit(latent, [wanted]).images
    (target,) = edited.targets
    assert target.end is relatent.End.REACHED
    assert 1 <= target.rounds <= 8
    yaw = target.attributes["yaw"]
    assert yaw.reached - yaw.before == pytest.approx(7.5, abs=0.61)
    for attribute in PACK.attributes[1:]:
        outcome = target.attributes[attribute.name]
        moved = abs(outcome.reached - outcome.before) / (attribute.high - attribute.low)
        assert moved <= 0.0101, attribute.name
    assert edited.latent.space is latent.space or latent.space is relatent.Space.W
    (again,) = client.synthesize([edited.latent])
    np.testing.assert_array_equal(again.image.array, edited.image.array)


def test_an_image_is_inverted_and_edited_exactly_in_one_call(client: relatent.Client) -> None:
    goals = [relatent.Goal("smile", to=[-0.5, 0.0, 0.5]), relatent.Goal("glasses", to=0.8)]
    answer = client.edit(DRAWINGS[3], [relatent.Reach(goals, hold=["age", "yaw"])], invert={"steps": 10})
    assert [image.strength for image in answer.images] == [-0.5, 0.0, 0.5]
    for image, smile in zip(answer.images, (-0.5, 0.0, 0.5), strict=True):
        (target,) = image.targets
        assert target.attributes["smile"].reached == pytest.approx(smile, abs=0.021)
        assert target.attributes["glasses"].reached == pytest.approx(0.8, abs=0.011)
        assert target.attributes["pitch"].part is relatent.AttributePart.FREE
        assert target.attributes["age"].part is relatent.AttributePart.HELD


def test_the_catalog_tells_attributes_in_their_units(client: relatent.Client) -> None:
    pack = client.pack("demo")
    assert pack.exact_edits
    assert pack.described["yaw"] == relatent.AttributeInfo("yaw", "deg", -30, 30)
    assert pack.described["glasses"] == relatent.AttributeInfo("glasses", "", 0, 1)
    assert tuple(pack.described) == pack.attributes


async def test_a_triton_killed_amid_exact_edits_and_sessions_loses_none(demo: ServiceProcess) -> None:
    wanted = [relatent.Reach([relatent.Goal("smile", by=0.5)])]
    async with relatent.AsyncClient(demo.address, timeout=120) as client:
        codes = [(await client.invert(drawing, steps=0)).latent for drawing in DRAWINGS[:6]]

        async def editing(latent: relatent.LatentCode) -> list[relatent.TargetOutcome]:
            answers = [await client.edit(latent, wanted) for _ in range(12)]
            return [answer.images[0].targets[0] for answer in answers]

        async def sliding(latent: relatent.LatentCode) -> list[relatent.TargetOutcome]:
            async with client.edit_session(latent) as session:
                outcomes = []
                for _ in range(12):
                    session.change([relatent.Truncate(0.5)])
                    asked = session.change(wanted)
                    while (answer := await session.answer()).number < asked:
                        pass
                    outcomes.append(answer.edited.targets[0])
            return outcomes

        calls = [asyncio.create_task(work(latent)) for latent in codes for work in (editing, sliding)]
        await asyncio.sleep(0.2)
        demo.kill_triton()
        outcomes = await asyncio.gather(*calls)
    for of_one in outcomes:
        for outcome in of_one:
            assert outcome.end is relatent.End.REACHED
            smile = outcome.attributes["smile"]
            assert smile.reached - smile.before == pytest.approx(0.5, abs=0.021)
