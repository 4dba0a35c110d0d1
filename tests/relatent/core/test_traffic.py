from __future__ import annotations

import pytest

from relatent.core.traffic import TrafficClass

INTERACTIVE, BULK = TrafficClass


@pytest.mark.parametrize(
    ("asked", "cap", "given"),
    [(INTERACTIVE, INTERACTIVE, INTERACTIVE), (INTERACTIVE, BULK, BULK), (BULK, INTERACTIVE, BULK)],
)
def test_a_class_goes_no_earlier_than_its_cap(
    asked: TrafficClass, cap: TrafficClass, given: TrafficClass
) -> None:
    assert asked.capped(cap) is given
