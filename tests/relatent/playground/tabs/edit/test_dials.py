from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from relatent.client.catalog import AttributeInfo, DirectionInfo, PackInfo
from relatent.client.goals import Goal, Reach
from relatent.client.images import ImageFormat, Picture
from relatent.client.latents import LatentCode
from relatent.client.requests import Move
from relatent.client.results import AttributeOutcome, EditedImage, TargetOutcome
from relatent.core.spaces import Space
from relatent.core.targets import AttributePart, End
from relatent.playground.tabs.edit.dials import MOST, dials, operations, values

DESCRIBED = {
    "yaw": AttributeInfo("yaw", "deg", -30, 30),
    "age": AttributeInfo("age", "years", 20, 80),
    "smile": AttributeInfo("smile", "", -1, 1),
    "unmeasured": AttributeInfo("unmeasured", "", 0, 0),
}


def direction(name: str, low: float, high: float, space: Space = Space.W_PLUS) -> DirectionInfo:
    return DirectionInfo(name, "", 0, 1, 0, low, high, space, "", "")


def pack(**more: Any) -> PackInfo:
    given: dict[str, Any] = {"attributes": tuple(DESCRIBED), "directions": ()} | more
    return PackInfo(
        "tiny", "1" * 64, "", "", "", 64, 2, 4, losses=(), default_steps=5, encoder=True, compare_side=64,
        metrics=(), **given,
    )  # fmt: skip


EXACT = dials(pack(described=DESCRIBED, exact_edits=True))
MOVING = dials(
    pack(directions=(direction("age", -2, 2), direction("noise", -3, 3, Space.Z), direction("blind", 0, 0)))
)


def edited(*targets: TargetOutcome) -> EditedImage:
    latent = LatentCode(np.zeros((2, 4), np.float32), "tiny", "1" * 64)
    return EditedImage(latent, Picture(b"", ImageFormat.RAW, 8, 8), 0.0, targets)


def test_attributes_are_dials_in_their_units_where_their_range_is_known() -> None:
    told = [(dial.label, dial.low, dial.high, dial.step) for dial in EXACT]
    assert told == [("yaw (degrees)", -30, 30, 1), ("age (years)", 20, 80, 1), ("smile", -1, 1, 0.02)]


def test_a_pack_without_exact_edits_has_its_directions_but_those_of_samples() -> None:
    assert [(dial.name, dial.low, dial.high) for dial in MOVING] == [("age", -2, 2), ("blind", -3, 3)]


def test_a_screen_holds_only_so_many() -> None:
    many = tuple(direction(f"d{number}", -1, 1) for number in range(100))
    assert len(dials(pack(directions=many))) == MOST


@pytest.mark.parametrize(("number", "place"), [(0.113, 0.12), (5, 1), (-1.2, -1), (0, 0)])
def test_a_number_fits_the_nearest_place_of_the_slider(number: float, place: float) -> None:
    assert EXACT[2].fit(number) == pytest.approx(place)


def test_dials_that_were_moved_become_goals_and_locks_are_held() -> None:
    (reach,) = operations(EXACT, {"age": 70.0}, ["yaw", "age"])
    assert reach == Reach([Goal("age", to=70.0)], hold=["yaw"])
    assert operations(EXACT, {}, ["yaw"]) == ()


def test_directions_are_moved_by_their_strengths_and_keep_what_is_locked() -> None:
    assert operations(MOVING, {"age": 1.5, "blind": 0.0}, ["blind"]) == (Move("age", 1.5, keep=[]),)
    assert operations(MOVING, {"age": 1.5}, ["blind"]) == (Move("age", 1.5, keep=["blind"]),)


def test_dials_stand_at_what_an_edit_reads() -> None:
    reads = {
        name: AttributeOutcome(AttributePart.HELD, 0, 0, number)
        for name, number in (("yaw", 4.0), ("age", 69.7), ("smile", 0.5), ("unmeasured", 7.0))
    }
    answer = edited(TargetOutcome(reads, 2, End.REACHED))
    assert values(EXACT, {}, {"age": 70.0}, answer) == {"yaw": 4.0, "age": 69.7, "smile": 0.5}


def test_dials_of_directions_stand_where_they_were_put() -> None:
    assert values(MOVING, {"age": 0.0, "blind": 0.0}, {"age": 1.5}, edited()) == {"age": 1.5, "blind": 0.0}
