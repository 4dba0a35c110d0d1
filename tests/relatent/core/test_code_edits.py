"""Edits of codes of any space: what moves, what is carried along, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from relatent.core.code_edits import CodeEdit, CodeOperation, Interpolation, MeaninglessOperation, Reduction
from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove, StyleMix, Truncation
from relatent.core.spaces import Space
from tests.relatent.core.test_codes import D, L, some

ALONG = Direction(
    name="x",
    vector=np.eye(L, D, dtype=np.float32),
    bias=0.0,
    attribute="x",
    first_layer=0,
    last_layer=L - 1,
    calibration=1.0,
    min_strength=-3.0,
    max_strength=3.0,
)
OTHER = np.ones((L, D), np.float32)
MOVES: list[CodeOperation] = [
    DirectionMove(ALONG, (2.0,)),
    StyleMix(OTHER, (1, 2)),
    Truncation(OTHER, 0.25),
]


@pytest.mark.parametrize("operation", MOVES, ids=["move", "mix", "truncate"])
def test_an_offset_is_carried_and_w_is_moved_as_a_plain_code_is(operation: CodeOperation) -> None:
    code = some(Space.FEATURE)
    after = CodeEdit((operation,)).apply(code)
    np.testing.assert_array_equal(after.w, CodeEdit((operation,)).apply(code.reduced()).w)
    for name in ("offset", "origin"):
        np.testing.assert_array_equal(after.parts[name], code.parts[name])


@pytest.mark.parametrize("operation", MOVES, ids=["move", "mix", "truncate"])
def test_all_of_several_codes_are_moved_alike(operation: CodeOperation) -> None:
    code = some(Space.MULTI)
    after = CodeEdit((operation,)).apply(code)
    assert isinstance(operation, DirectionMove | StyleMix | Truncation)
    for index in range(code.w.shape[1]):
        np.testing.assert_array_equal(after.w[:, index], operation.apply(code.w[:, index]))
    np.testing.assert_array_equal(after.parts["weights"], code.parts["weights"])


@pytest.mark.parametrize("space", [Space.FEATURE, Space.MULTI])
def test_a_strip_makes_a_code_for_each_strength_with_all_its_parts(space: Space) -> None:
    code = some(space)
    after = CodeEdit((DirectionMove(ALONG, (-1.0, 0.0, 1.0)),)).apply(code)
    assert len(after) == 3
    np.testing.assert_array_equal(after.w[1], code.w[0])
    assert {len(part) for part in after.parts.values()} == {3}


@pytest.mark.parametrize("space", [Space.FEATURE, Space.MULTI, Space.W_PLUS])
def test_interpolation_takes_every_part_along(space: Space) -> None:
    code, other = some(space), some(space)
    path = CodeEdit((Interpolation(other, (0.0, 0.5, 1.0)),)).apply(code)
    for name, part in path.parts.items():
        np.testing.assert_allclose(part[0], code.parts[name][0], atol=1e-6)
        np.testing.assert_allclose(part[2], other.parts[name][0], atol=1e-6)
        assert part.dtype == code.parts[name].dtype


def test_between_a_plain_code_and_one_with_an_offset_the_offset_fades() -> None:
    plain, feature = some(Space.W_PLUS), some(Space.FEATURE)
    there = CodeEdit((Interpolation(feature, (0.0, 1.0)),)).apply(plain)
    back = CodeEdit((Interpolation(plain, (0.0, 1.0)),)).apply(feature)
    for path, faded in ((there, 0), (back, 1)):
        assert path.space is Space.FEATURE
        assert (path.parts["offset"][faded] == 0).all()
        np.testing.assert_allclose(path.w[faded], plain.w[0], atol=1e-6)
        np.testing.assert_allclose(path.parts["offset"][1 - faded], feature.parts["offset"][0], rtol=1e-3)


def test_the_space_before_each_operation_and_after_the_last_is_told() -> None:
    edit = CodeEdit((MOVES[0], Reduction(), Interpolation(some(Space.FEATURE), (0.5,))))
    assert edit.spaces(Space.FEATURE) == [Space.FEATURE, Space.FEATURE, Space.W_PLUS, Space.FEATURE]
    assert edit.apply(some(Space.FEATURE)).space is Space.FEATURE


@pytest.mark.parametrize(
    ("space", "operation", "why"),
    [
        (Space.MULTI, Reduction(), "several of w"),
        (Space.MULTI, Interpolation(some(Space.W_PLUS), (0.5,)), r"expected a code of multi, got one of w\+"),
        (Space.W_PLUS, Interpolation(some(Space.MULTI), (0.5,)), r"expected a code of w\+, got one of multi"),
        (
            Space.LAYERED,
            Interpolation(some(Space.FEATURE), (0.5,)),
            "expected a code of layered, got one of feature",
        ),
    ],
)
def test_what_has_no_meaning_for_a_space_is_told_before_anything_is_done(
    space: Space, operation: CodeOperation, why: str
) -> None:
    with pytest.raises(MeaninglessOperation, match=why) as caught:
        CodeEdit((MOVES[0], operation)).spaces(space)
    assert caught.value.index == 1
