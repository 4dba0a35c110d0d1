"""An expression transfer adds the difference of two codes, without what lies below the threshold."""

from __future__ import annotations

import numpy as np
import pytest

from relatent.core.code_edits import CodeEdit
from relatent.core.codes import Codes
from relatent.core.edits import ExpressionTransfer
from relatent.core.spaces import Space

SOURCE = np.zeros((4, 3), np.float32)
TARGET = np.array([[0.6, 0.4, 0], [0.6, 0.4, 0], [0, 0.4, 0], [0, 0.4, 2]], np.float32)
"""Of the channels' norms 0.85, 0.8 and 2."""
CODE = np.arange(12, dtype=np.float32).reshape(1, 4, 3)


def test_the_whole_difference_is_added_by_its_amount_where_there_is_no_threshold() -> None:
    transfer = ExpressionTransfer(SOURCE, TARGET, (-0.5, 0, 2), threshold=0)
    expected = CODE + np.array([-0.5, 0, 2], np.float32)[:, None, None] * TARGET
    np.testing.assert_allclose(transfer.apply(CODE), expected, rtol=1e-6)
    assert transfer.strip == (-0.5, 0, 2)


@pytest.mark.parametrize(("threshold", "counting"), [(0.79, 3), (0.82, 2), (1.0, 1), (2.0, 1), (2.1, 0)])
def test_channels_below_the_threshold_are_taken_for_nothing(threshold: float, counting: int) -> None:
    transfer = ExpressionTransfer(SOURCE, TARGET, (1,), threshold)
    assert np.count_nonzero(transfer.difference.any(axis=0)) == counting
    kept = transfer.difference.any(axis=0)
    np.testing.assert_array_equal(transfer.difference[:, kept], TARGET[:, kept])


def test_the_published_threshold_holds_unless_another_is_given() -> None:
    assert ExpressionTransfer(SOURCE, TARGET, (1,)).threshold == 1.0


def test_there_and_back_again_is_where_it_was() -> None:
    there, back = (ExpressionTransfer(SOURCE, TARGET, (amount,)) for amount in (1.5, -1.5))
    np.testing.assert_allclose(back.apply(there.apply(CODE)), CODE, atol=1e-6)


def test_a_code_of_several_is_moved_alike_and_one_with_more_parts_keeps_them() -> None:
    edit = CodeEdit((ExpressionTransfer(SOURCE, TARGET, (1,), 0),))
    several = Codes(
        Space.MULTI, {"w": np.stack([CODE, CODE + 1], axis=1), "alpha": np.ones((1, 2), np.float32)}
    )
    moved = edit.apply(several)
    np.testing.assert_allclose(moved.w, several.w + TARGET, rtol=1e-6)
    np.testing.assert_array_equal(moved.parts["alpha"], several.parts["alpha"])
