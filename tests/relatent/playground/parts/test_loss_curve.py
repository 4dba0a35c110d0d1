from __future__ import annotations

import re

from relatent.playground.parts.loss_curve import curve


def points(drawn: str) -> list[tuple[float, float]]:
    found = re.search(r'<polyline points="([^"]*)"', drawn)
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in found[1].split())] if found else []


def test_a_curve_grows_to_the_right_as_steps_are_done_and_falls_with_the_loss() -> None:
    half = points(curve([(0, 1.0), (5, 0.1), (10, 0.01)], 20))
    (left, top), (middle, between), (right, bottom) = half
    assert left < middle < right
    assert top < between < bottom
    assert abs((between - top) - (bottom - between)) < 0.2, "a tenth is as far as a tenth"
    whole = points(curve([(0, 1.0), (5, 0.1), (10, 0.01), (20, 0.005)], 20))
    assert whole[-1][0] > right


def test_a_curve_is_told_to_those_who_do_not_see_it() -> None:
    told = 'role="img" aria-label="Loss 1 at first, 0.25 after 3 of 9 steps"'
    assert told in curve([(0, 1.0), (3, 0.25)], 9)


def test_what_cannot_be_drawn_is_left_out() -> None:
    assert points(curve([], 0)) == []
    assert points(curve([(0, float("nan")), (1, 0.5)], 4)) == []
    assert len(points(curve([(0, 0.5), (1, 0.5)], 4))) == 2
