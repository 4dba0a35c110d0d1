"""What ways of inverting the page offers."""

from __future__ import annotations

import dataclasses

from relatent.playground import ways
from relatent.playground.ways import WayToInvert
from tests.relatent.playground.made import METHODS, PACK, method


def test_qualities_are_the_packs_and_the_quickest_is_first() -> None:
    assert [way.name for way in ways.qualities(PACK)] == ["fast", "best"]


def test_a_pack_without_qualities_has_its_default_method_instead() -> None:
    pack = dataclasses.replace(PACK, presets={})
    assert ways.qualities(pack) == (WayToInvert("feature", {"method": "feature"}),)


def test_steps_are_asked_of_what_takes_any_alone() -> None:
    fast, best = ways.qualities(PACK)
    assert fast.in_steps(40) == {"quality": "fast"}
    assert best.in_steps(40) == {"quality": "best", "steps": 40}
    assert best.in_steps(0) == {"quality": "best"}


def test_methods_that_need_more_than_a_picture_are_not_offered() -> None:
    assert [way.name for way in ways.methods(PACK)] == ["feature", "hybrid"]


def test_a_plain_way_makes_codes_that_every_edit_takes() -> None:
    assert ways.plain(PACK) == WayToInvert("hybrid", {"method": "hybrid"})
    other = dataclasses.replace(PACK, methods={"feature": METHODS[0]})
    assert ways.plain(other).options == {}
    assert ways.goes_alone(method("own"))
