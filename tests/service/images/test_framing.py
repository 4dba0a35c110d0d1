import numpy as np
import pytest
from PIL import Image

from relatent.core.fit import Fit
from relatent_service.errors import InvalidField
from relatent_service.images.framing import check_proportions, square

RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def test_a_square_of_the_right_size_is_left_alone():
    np.testing.assert_array_equal(square(Image.fromarray(RAMP), Fit.REFUSE, 16, "image"), RAMP)


def test_shrinking_averages_areas():
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    small = square(Image.fromarray(picture), Fit.CROP, 8, "image")
    means = picture.reshape(8, 4, 8, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(small, means, atol=1)


def test_growing_interpolates():
    big = square(Image.fromarray(RAMP), Fit.CROP, 64, "image")
    assert big.shape == (64, 64)
    assert len(np.unique(big)) > 200


def test_crop_keeps_the_centre_square():
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, 4:12] = 200
    assert (square(Image.fromarray(picture), Fit.CROP, 4, "image") == 200).all()
    assert (square(Image.fromarray(picture.transpose(1, 0, 2)), Fit.CROP, 4, "image") == 200).all()


def test_pad_repeats_the_border():
    picture = np.zeros((8, 16), np.uint8)
    picture[:4], picture[4:] = 50, 100
    padded = square(Image.fromarray(picture), Fit.PAD, 16, "image")
    assert padded.shape == (16, 16)
    assert (padded[:8] == 50).all()
    assert (padded[8:] == 100).all()


def test_padding_a_long_strip_never_makes_its_huge_square():
    strip = Image.new("RGB", (100_000, 1), (10, 20, 30))
    assert (square(strip, Fit.PAD, 8, "image") == [10, 20, 30]).all()


def test_refuse_refuses_and_tells_the_size():
    with pytest.raises(InvalidField) as caught:
        square(Image.new("RGB", (9, 8)), Fit.REFUSE, 8, "image")
    assert caught.value.field == "image"
    assert "9 x 8" in caught.value.description


@pytest.mark.parametrize("size", [(90, 60), (45, 30), (91, 61), (3, 2)])
def test_a_mask_of_the_images_proportions_is_taken(size):
    check_proportions(Image.new("L", size), (900, 600), "mask")


@pytest.mark.parametrize("size", [(60, 90), (90, 90), (900, 300)])
def test_a_mask_of_other_proportions_is_refused(size):
    with pytest.raises(InvalidField, match="900 x 600"):
        check_proportions(Image.new("L", size), (900, 600), "mask")
