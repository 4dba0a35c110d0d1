"""Attributes are told in people's units and read in the network's."""

from __future__ import annotations

from typing import Any

import pytest

from relatent.core.attributes import Attribute, attribute_entry, read_attribute

YAW = Attribute("yaw", "yaw", "deg", -30, 30, scale=30)
AGE = Attribute("age", "age", "years", 20, 80, scale=30, offset=50)


def test_a_reading_and_its_value_are_one_thing_in_two_units() -> None:
    assert YAW.value(0.5) == 15
    assert AGE.value(-1) == 20
    assert AGE.reading(65) == 0.5
    assert AGE.width == 2
    assert YAW.measured
    assert not Attribute("plain", "plain").measured


@pytest.mark.parametrize(
    ("attribute", "unit", "known"),
    [(YAW, "", True), (YAW, "deg", True), (YAW, "Degrees", True), (YAW, "°", True), (YAW, "rad", False)],
)
def test_a_unit_is_known_by_what_people_write(attribute: Attribute, unit: str, known: bool) -> None:
    assert attribute.has_unit(unit) is known


def test_an_attribute_without_a_unit_has_none() -> None:
    assert Attribute("smile", "smile").has_unit("")
    assert not Attribute("smile", "smile").has_unit("deg")


def test_a_manifest_has_a_name_alone_or_all_of_it() -> None:
    assert read_attribute("smile") == Attribute("smile", "smile")
    assert attribute_entry(Attribute("smile", "smile")) == "smile"
    entry = attribute_entry(AGE)
    assert read_attribute(entry) == AGE
    assert read_attribute({"name": "smile", "low": -1, "high": 1}) == Attribute("smile", "smile", "", -1, 1)


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"name": "a", "scale": 0.0}, "scale: expected a number other than 0"),
        ({"name": "a", "low": 2, "high": 1}, "low: expected at most high, 1, got 2"),
        ({"name": "a", "high": float("nan")}, "high: expected a finite number"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field(entry: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_attribute(entry)
