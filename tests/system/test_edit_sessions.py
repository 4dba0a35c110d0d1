"""Sessions of the demo pack through the real service and its Triton."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import relatent
from tests.fixtures.requests import REVISION, code
from tests.system.processes import ServiceProcess

ROOT = Path(__file__).parents[2]
DRAWINGS = sorted((ROOT / "packs/demo/drawings").glob("*.png"))
CHANGES = 150


def sliders(step: int) -> list[relatent.Operation]:
    """What two sliders say at a step; every third time one of them is exact."""
    smile = math.sin(step / 5)
    if step % 3 == 0:
        return [relatent.Reach([relatent.Goal("smile", to=0.7 * smile)])]
    return [relatent.Move("smile", smile), relatent.Move("yaw", step / CHANGES)]


@pytest.mark.parametrize("source", ["an image", "a code", "a code, within a region"])
def test_of_what_sliders_say_as_fast_as_they_can_each_answer_is_that_edit_to_the_byte(
    client: relatent.Client, demo: ServiceProcess, source: str
) -> None:
    fields: dict[str, Any] = {"invert": {"steps": 5}} if source == "an image" else {}
    if source.endswith("region"):
        fields["within"] = relatent.Within(eyes(), feather=1.0)
    latent = client.invert(DRAWINGS[1], steps=5).latent
    before = {name: changes(demo, name) for name in ("answered", "refused", "dropped")}
    sent: dict[int, list[relatent.Operation]] = {}
    with client.edit_session(DRAWINGS[1] if source == "an image" else latent, **fields) as session:
        if source == "an image":
            assert session.inversion is not None
            assert same(session.inversion.latent, latent)

        def slide() -> None:
            for step in range(CHANGES):
                sent[session.change(sliders(step))] = sliders(step)
            session.finish()

        sliding = threading.Thread(target=slide)
        sliding.start()
        answers = list(session)
        sliding.join()
    assert answers[-1].number == CHANGES
    assert len(answers) + sum(answer.dropped for answer in answers) == len(sent) == CHANGES
    assert changes(demo, "answered") - before["answered"] == len(answers)
    assert changes(demo, "refused") == before["refused"]
    assert changes(demo, "dropped") - before["dropped"] <= CHANGES - len(answers)
    for answer in (answers[0], *answers[-2:]):
        again = client.edit(latent, sent[answer.number], within=fields.get("within")).images[0]
        assert answer.edited.image == again.image
        assert same(answer.edited.latent, again.latent)
        assert answer.edited.targets == again.targets
        assert answer.edited.border_error == again.border_error


def same(one: relatent.LatentCode, other: relatent.LatentCode) -> bool:
    """Whether two codes are, to the bit."""
    assert one.parts.keys() == other.parts.keys()
    return np.array_equal(one.values, other.values) and all(
        np.array_equal(one.parts[name], other.parts[name]) for name in one.parts
    )


def changes(service: ServiceProcess, outcome: str) -> float:
    return service.metric("relatent_session_changes_total", outcome=outcome)


def eyes() -> Image.Image:
    mask = Image.new("L", (64, 64))
    mask.paste(255, (12, 20, 52, 36))
    return mask


def moves(count: int) -> Sequence[relatent.Operation]:
    return [relatent.Move("brightness", count / 10)]


def test_a_service_that_is_killed_costs_its_sessions_nothing_but_time(start_service: Any) -> None:
    first, second = start_service(2, "--engine", "local")
    latent = relatent.LatentCode(code(1), "tiny", REVISION)
    with (
        relatent.Client([first.address, second.address], timeout=60) as client,
        client.edit_session(latent) as session,
    ):
        session.change(moves(1))
        assert session.answer(20).number == 1
        first.kill()
        last = [session.change(moves(count)) for count in range(2, 12)][-1]
        numbers = [session.answer(20).number]
        while numbers[-1] < last:
            numbers.append(session.answer(20).number)
    assert numbers == sorted(set(numbers))
    assert second.metric("relatent_session_changes_total", outcome="answered") == len(numbers)


def test_a_service_told_to_end_ends_at_once_and_its_sessions_go_elsewhere(start_service: Any) -> None:
    first, second = start_service(2, "--engine", "local")
    latent = relatent.LatentCode(code(1), "tiny", REVISION)
    with (
        relatent.Client([first.address, second.address], timeout=60) as client,
        client.edit_session(latent) as session,
    ):
        session.change(moves(1))
        assert session.answer(20).number == 1
        first.terminate()
        assert first.wait(10) == 0
        session.change(moves(2))
        assert session.answer(20).number == 2
    assert second.metric("relatent_session_changes_total", outcome="answered") == 1
