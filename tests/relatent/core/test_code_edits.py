"""Edits of codes of any space: what moves, what is carried along, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from relatent.core.code_edits import CodeEdit, CodeOperation, Interpolation, MeaninglessOperation, Reduction
from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove, LearnedMove, StyleMix, Truncation
from relatent.core.spaces import Space
from relatent.core.targets import AttributeTarget, ReadingGoal
from relatent.core.text import TextMove, Tokens
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
CHANNEL = Direction(
    "channel", np.eye(1, 7, 2, dtype=np.float32), 0.0, "x", 0, 0, 1.0, -3.0, 3.0, (0.5,), Space.STYLE
)
LEARNED = LearnedMove(replace(ALONG, vector=np.zeros((L, D), np.float32), learned=True), (1.0,))
TOKENS = Tokens(np.array([[1, 2]]), np.array([[1, 0]]))
TEXT = TextMove(TOKENS, TOKENS, (1.0,), 0.2)
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


@pytest.mark.parametrize("space", [Space.W_PLUS, Space.STYLE])
def test_a_direction_of_styles_moves_their_change_and_leaves_w(space: Space) -> None:
    code = some(space)
    after = CodeEdit((DirectionMove(CHANNEL, (-2.0, 1.0)),)).apply(code)
    assert after.space is Space.STYLE
    np.testing.assert_array_equal(after.w, np.repeat(code.w, 2, axis=0))
    before = code.parts.get("styles", np.zeros((1, 7), np.float32))
    way = np.zeros((2, 7))
    way[:, 2] = -1.0, 0.5
    np.testing.assert_allclose(after.parts["styles"], before + way, atol=1e-6)


@pytest.mark.parametrize("operation", MOVES, ids=["move", "mix", "truncate"])
def test_the_change_of_styles_is_carried_through_edits_of_w(operation: CodeOperation) -> None:
    code = some(Space.STYLE)
    after = CodeEdit((operation,)).apply(code)
    assert after.space is Space.STYLE
    np.testing.assert_array_equal(after.w, CodeEdit((operation,)).apply(code.reduced()).w)
    np.testing.assert_array_equal(after.parts["styles"], code.parts["styles"])


def test_between_a_plain_code_and_one_of_styles_their_change_fades() -> None:
    plain, styled = some(Space.W_PLUS), some(Space.STYLE)
    there = CodeEdit((Interpolation(styled, (0.0, 0.25, 1.0)),)).apply(plain)
    back = CodeEdit((Interpolation(plain, (1.0, 0.75, 0.0)),)).apply(styled)
    for path in (there, back):
        assert path.space is Space.STYLE
        shares = np.array([[0.0], [0.25], [1.0]])
        np.testing.assert_allclose(path.parts["styles"], shares * styled.parts["styles"], atol=1e-6)
        np.testing.assert_allclose(path.w[0], plain.w[0], atol=1e-6)
        np.testing.assert_allclose(path.w[2], styled.w[0], atol=1e-6)


@pytest.mark.parametrize("operation", [DirectionMove(CHANNEL, (1.0,)), TEXT], ids=["direction", "text"])
def test_what_moves_styles_makes_codes_of_s_of_those_that_have_styles(operation: CodeOperation) -> None:
    edit = CodeEdit((operation, Reduction()))
    for space in (Space.W, Space.W_PLUS, Space.STYLE):
        assert edit.spaces(space) == [space, Space.STYLE, Space.W_PLUS]
    for space in (Space.FEATURE, Space.LAYERED, Space.MULTI):
        with pytest.raises(MeaninglessOperation, match=f"of w, w\\+ and s, not of {space}"):
            edit.spaces(space)


def test_a_learned_move_leaves_the_space_and_has_no_meaning_for_several_codes() -> None:
    for space in (Space.W_PLUS, Space.STYLE, Space.FEATURE):
        assert CodeEdit((LEARNED,)).spaces(space) == [space, space]
    with pytest.raises(MeaninglessOperation, match=r"moves one code of w\+, not several at once"):
        CodeEdit((LEARNED,)).spaces(Space.MULTI)


@pytest.mark.parametrize(
    "operation", [LEARNED, TEXT, AttributeTarget((ReadingGoal(0, (0.5,), relative=False),), ())]
)
def test_what_needs_a_packs_graphs_is_not_applied_without_them(operation: CodeOperation) -> None:
    with pytest.raises(TypeError, match=f"a {type(operation).__name__} needs a pack's graphs"):
        CodeEdit((MOVES[0], operation)).apply(some(Space.W_PLUS))


def test_several_strengths_of_a_text_or_of_a_learned_direction_make_a_strip() -> None:
    for operation in (replace(LEARNED, strengths=(0.0, 1.0)), replace(TEXT, strengths=(0.0, 1.0))):
        edit = CodeEdit((MOVES[1], operation))
        assert (edit.strip, edit.images, edit.least_images) == ((0.0, 1.0), 2, 2)


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
