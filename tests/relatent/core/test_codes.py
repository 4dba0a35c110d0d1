"""Codes of any space: what they are made of, and how they become others."""

from __future__ import annotations

import numpy as np
import pytest

from relatent.core.codes import Codes, NoSuchCode
from relatent.core.spaces import CodePart, CodeParts, Space, code_parts_table, read_code_parts

RANDOM = np.random.default_rng(1)
L, D = 3, 4
FEATURE = CodeParts(
    "synthesize_feature",
    {
        "w": CodePart("float32", (L, D)),
        "offset": CodePart("float16", (2, 5)),
        "origin": CodePart("float32", (L, D)),
    },
)
MULTI = CodeParts(
    "synthesize_multi", {"w": CodePart("float32", (6, L, D)), "weights": CodePart("float32", (6, 2))}
)
STYLE = CodeParts("synthesize_style", {"w": CodePart("float32", (L, D)), "styles": CodePart("float32", (7,))})
SHAPES = {Space.FEATURE: FEATURE, Space.MULTI: MULTI, Space.STYLE: STYLE}


def some(space: Space, count: int = 1) -> Codes:
    if space is Space.W_PLUS:
        return Codes.plain(RANDOM.normal(size=(count, L, D)).astype(np.float32))
    parts = SHAPES[space].parts
    return Codes(
        space,
        {name: RANDOM.normal(size=(count, *each.shape)).astype(each.dtype) for name, each in parts.items()},
    )


def test_a_code_of_w_is_the_same_in_every_row_and_others_stay() -> None:
    w = np.arange(4, dtype=np.float32)
    plain = Codes(Space.W, {"w": w[None]}).broadcast(2)
    assert plain.space is Space.W_PLUS
    np.testing.assert_array_equal(plain.w, [[w, w]])
    feature = some(Space.FEATURE)
    assert feature.broadcast(2) is feature


def test_codes_are_picked_joined_and_counted_with_all_their_parts() -> None:
    codes = some(Space.FEATURE, 5)
    again = Codes.joined([codes[:2], codes[2:]])
    assert len(again) == 5
    for name, array in codes.parts.items():
        np.testing.assert_array_equal(again.parts[name], array)
        assert again.parts[name].dtype == array.dtype


def test_other_parts_are_carried_and_repeated_for_a_strip() -> None:
    code = some(Space.FEATURE)
    strip = code.with_w(np.zeros((3, L, D), np.float32))
    np.testing.assert_array_equal(strip.parts["offset"], np.repeat(code.parts["offset"], 3, axis=0))
    assert (strip.w == 0).all()


def test_a_code_is_reduced_to_its_w_plus_part_where_it_has_one() -> None:
    code = some(Space.FEATURE)
    assert code.reduced().parts.keys() == {"w"}
    assert code.reduced().space is Space.W_PLUS
    with pytest.raises(NoSuchCode, match=r"multi is several of w\+"):
        some(Space.MULTI).reduced()


def test_a_plain_code_is_lifted_with_offsets_of_zero_that_belong_to_itself() -> None:
    code = some(Space.W_PLUS, 2)
    lifted = code.lifted(some(Space.FEATURE))
    assert lifted.space is Space.FEATURE
    assert (lifted.parts["offset"] == 0).all()
    assert lifted.parts["offset"].shape == (2, 2, 5)
    np.testing.assert_array_equal(lifted.parts["origin"], code.w)
    with pytest.raises(NoSuchCode, match=r"expected a code of multi, got one of w\+"):
        code.lifted(some(Space.MULTI))
    with pytest.raises(NoSuchCode, match=r"expected a code of w\+, got one of feature"):
        some(Space.FEATURE).lifted(code)


def test_styles_are_moved_of_the_code_beside_them_or_of_none() -> None:
    code, plain = some(Space.STYLE, 2), some(Space.W_PLUS, 2)
    for given, before in ((code, code.parts["styles"]), (plain, np.zeros((2, 7), np.float32))):
        moved = given.styled(lambda styles: 2 * styles + 1, 7)
        assert moved.space is Space.STYLE
        np.testing.assert_array_equal(moved.w, given.w)
        np.testing.assert_array_equal(moved.parts["styles"], 2 * before + 1)
        assert moved.parts["styles"].dtype == np.float32


def test_styles_moved_by_several_strengths_repeat_the_code_beside_them() -> None:
    code, ways = some(Space.W_PLUS), np.array([0, 1, 2], np.float32)[:, None, None]
    strip = code.styled(lambda styles: styles + ways, 7)
    assert len(strip) == 3
    np.testing.assert_array_equal(strip.w, np.repeat(code.w, 3, axis=0))
    np.testing.assert_array_equal(strip.parts["styles"], np.repeat([[0], [1], [2]], 7, axis=1))


def test_a_plain_code_is_lifted_to_styles_that_change_nothing_and_reduced_again() -> None:
    plain = some(Space.W_PLUS, 2)
    lifted = plain.lifted(some(Space.STYLE))
    assert lifted.parts.keys() == {"w", "styles"}
    np.testing.assert_array_equal(lifted.parts["styles"], np.zeros((2, 7), np.float32))
    np.testing.assert_array_equal(lifted.reduced().w, plain.w)
    for space in (Space.FEATURE, Space.MULTI):
        with pytest.raises(NoSuchCode, match=f"expected a code of s, got one of {space}"):
            some(space).lifted(lifted)


def test_a_table_of_a_space_reads_back_and_tells_its_bytes() -> None:
    for space, shape in SHAPES.items():
        again = read_code_parts(space, code_parts_table(shape))
        assert again == shape
        assert next(iter(again.parts)) == "w"
    assert FEATURE.bytes == 4 * L * D + 2 * 10 + 4 * L * D
    assert MULTI.bytes == 4 * 6 * L * D + 4 * 6 * 2


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"graph": "g", "parts": {}}, "spaces.feature.parts: expected a part w"),
        (
            {"graph": "g", "parts": {"w": {"dtype": "int8", "shape": [1]}}},
            "parts.w.dtype: expected float16 or",
        ),
    ],
)
def test_a_table_that_describes_no_codes_is_refused_by_its_entry(
    table: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_code_parts(Space.FEATURE, table)
