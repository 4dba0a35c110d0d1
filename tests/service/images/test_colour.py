import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from relatent_service.images.colour import to_grey, to_rgb


def reopened(picture, layout="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, layout, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


def pixel(picture):
    converted = to_rgb(picture)
    assert converted.mode == "RGB"
    return converted.getpixel((1, 1))


def test_what_is_transparent_shows_white():
    assert pixel(reopened(Image.new("RGBA", (3, 3), (200, 0, 0, 0)))) == (255, 255, 255)
    assert pixel(reopened(Image.new("RGBA", (3, 3), (200, 0, 0, 255)))) == (200, 0, 0)
    half = pixel(reopened(Image.new("RGBA", (3, 3), (200, 0, 100, 128))))
    np.testing.assert_allclose(half, (227, 127, 177), atol=1)
    assert pixel(reopened(Image.new("LA", (3, 3), (10, 0)))) == (255, 255, 255)


def test_a_palette_is_looked_up_and_its_transparent_colour_shows_white():
    picture = Image.new("P", (3, 3), 1)
    picture.putpalette([0, 0, 0, 10, 20, 30])
    assert pixel(reopened(picture)) == (10, 20, 30)
    assert pixel(reopened(picture, transparency=1)) == (255, 255, 255)
    assert pixel(reopened(picture, transparency=0)) == (10, 20, 30)


def test_a_transparent_grey_of_sixteen_bits_shows_white_too():
    levels = np.full((3, 3), 40_000, np.uint16)
    levels[1, 1] = 1_000
    picture = reopened(Image.fromarray(levels), transparency=1_000)
    assert pixel(picture) == (255, 255, 255)
    assert np.asarray(to_grey(picture)).tolist() == [[156] * 3, [156, 255, 156], [156] * 3]


def test_grey_and_black_and_white_become_rgb():
    assert pixel(reopened(Image.new("L", (3, 3), 77))) == (77, 77, 77)
    assert pixel(reopened(Image.new("1", (3, 3), 1))) == (255, 255, 255)


def test_sixteen_bit_grey_is_rounded_not_clipped():
    levels = np.array([[0, 257, 30_000], [32_896, 65_000, 65_535], [1, 2, 3]], np.uint16)
    converted = np.asarray(to_rgb(reopened(Image.fromarray(levels))))
    np.testing.assert_array_equal(converted[:, :, 0], np.round(levels / 257))
    np.testing.assert_array_equal(
        np.asarray(to_grey(reopened(Image.fromarray(levels)))), np.round(levels / 257)
    )


def test_cmyk_is_converted():
    cyan = pixel(reopened(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=100))
    assert cyan[0] < 20
    assert cyan[1] > 200
    assert cyan[2] > 200


def test_an_embedded_profile_is_converted_from():
    plain = Image.new("RGB", (3, 3), (120, 60, 30))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_allclose(pixel(reopened(plain, icc_profile=srgb)), (120, 60, 30), atol=1)
    converted = pixel(reopened(plain, icc_profile=gamma_one()))
    # With a gamma of 1 the same numbers mean more light: 120 / 255 is 0.47, in sRGB 180.
    np.testing.assert_allclose(converted, (181, 132, 95), atol=3)


def gamma_one():
    """sRGB's primaries with linear channels, by patching the tone curves of a matrix profile."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(profile[128:132], "big")
    for index in range(count):
        entry = 132 + 12 * index
        if bytes(profile[entry : entry + 4]) in (b"rTRC", b"gTRC", b"bTRC"):
            start = int.from_bytes(profile[entry + 4 : entry + 8], "big")
            # A parametric curve of type 0 with g = 1.0, padded with the rest of the old one.
            profile[start : start + 16] = b"para" + bytes(4) + bytes(4) + (1 << 16).to_bytes(4, "big")
    return bytes(profile)


@pytest.mark.parametrize("profile", [b"nonsense", bytes(200)])
def test_a_broken_profile_is_ignored(profile):
    picture = Image.new("RGB", (3, 3), (120, 60, 30))
    assert pixel(reopened(picture, icc_profile=profile)) == (120, 60, 30)


def test_broken_exif_data_is_ignored():
    picture = Image.new("RGB", (4, 2), (120, 60, 30))
    assert to_rgb(reopened(picture, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")).size == (4, 2)


def test_a_picture_that_is_right_already_is_not_copied():
    picture = reopened(Image.new("RGB", (4, 2), (120, 60, 30)))
    assert to_rgb(picture) is picture


def test_a_picture_is_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.new("RGB", (4, 2), (120, 60, 30))
    assert to_rgb(reopened(picture, exif=exif)).size == (2, 4)
    assert to_grey(reopened(picture, exif=exif)).size == (2, 4)
