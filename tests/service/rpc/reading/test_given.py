"""What is given of an image, and what of that is known, whatever size it comes in."""

from __future__ import annotations

import numpy as np

from relatent.core.pack import Pack
from tests.service.rpc.reading.test_restoration import degraded, fewer, given, grey, picture


def test_a_square_image_of_fewer_rows_than_columns_is_squeezed_and_not_cropped(restoring_pack: Pack) -> None:
    square = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    found = given(restoring_pack, picture(square), **fewer(rows=4, columns=1))
    means = square.reshape(2, 4, 8, 3).mean(1)
    np.testing.assert_allclose(found.pixels, means, atol=1)


def test_a_pixel_is_known_only_where_all_that_it_is_made_of_is(restoring_pack: Pack) -> None:
    scratched = np.full((64, 64), 255, np.uint8)
    scratched[:, 20:23] = 0  # three pixels wide in an image that shrinks to an eighth
    found = given(restoring_pack, grey(9, 64, 64), **degraded(mask=picture(scratched)))
    known = np.ones((8, 8), np.bool_)
    known[:, 2] = False
    assert found.degradation.known is not None
    np.testing.assert_array_equal(found.degradation.known, known)
    sharp = np.zeros((6, 6), np.uint8)
    sharp[:, 2:] = 255  # of an image that grows, pixels are made of three to either side
    enlarged = given(restoring_pack, grey(9, 6, 6), **degraded(mask=picture(sharp)))
    assert enlarged.degradation.known is not None
    assert not enlarged.degradation.known[:, :6].any()
    assert enlarged.degradation.known[:, 7].all()
