import struct
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded, Format, ImageLimits, read_grey, read_rgb, write
from tests.fixtures.requests import encoded

LIMITS = ImageLimits(max_bytes=2**20, max_pixels=10_000)
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def rgb(data, layout=None, width=0, height=0, limits=LIMITS):
    return np.asarray(read_rgb(Encoded(data, layout, width, height, "image"), limits))


def refusal(data, *arguments, **keywords):
    with pytest.raises(InvalidField) as caught:
        rgb(data, *arguments, **keywords)
    return caught.value


def png(width, height, depth=8, colour=2, data=b""):
    """A PNG with any header, whatever its data."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("layout", [Format.PNG, Format.WEBP])
def test_lossless_formats_come_back_as_they_were(layout):
    np.testing.assert_array_equal(rgb(write(PIXELS, layout)), PIXELS)
    np.testing.assert_array_equal(rgb(write(PIXELS, layout), layout), PIXELS)


def test_jpeg_comes_back_nearly_as_it_was():
    smooth = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    assert np.abs(rgb(write(smooth, Format.JPEG)).astype(int) - smooth).max() < 12


def test_raw_pixels_come_back_as_they_were():
    data = write(PIXELS, Format.RAW_RGB)
    assert data == PIXELS.tobytes()
    np.testing.assert_array_equal(rgb(data, Format.RAW_RGB, 9, 6), PIXELS)


@pytest.mark.parametrize(
    ("width", "height", "field"), [(0, 6, "image.width"), (9, 0, "image.height"), (6, 8, "image.data")]
)
def test_raw_pixels_must_fit_their_size(width, height, field):
    assert refusal(PIXELS.tobytes(), Format.RAW_RGB, width, height).field == field


def test_no_bytes_are_refused():
    assert refusal(b"").reason == "IMAGE_MISSING"


def test_too_many_bytes_are_refused():
    error = refusal(encoded(PIXELS), limits=ImageLimits(max_bytes=20, max_pixels=10_000))
    assert error.reason == "IMAGE_TOO_LARGE"
    assert "20 bytes" in error.description


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (encoded(PIXELS, "GIF"), "got a GIF picture; Relatent's client converts it when handed the file"),
        (encoded(PIXELS, "TIFF"), "got a TIFF picture; Relatent's client converts it"),
        (encoded(PIXELS, "BMP"), "got a BMP picture; Relatent's client converts it"),
        (encoded(PIXELS, "AVIF"), "got an AVIF picture; Relatent's client converts it"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "got a HEIC picture; Relatent's client converts it"),
        (b"%PDF-1.7", "got a PDF document; export the page as PNG"),
        (b"<!DOCTYPE html><title>404</title>", "got an HTML page; it may be an error page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git lfs pull"),
        (b"x", "got a text file"),
        (b"\0" * 12, "its first bytes are 00 00 00 00 00 00 00 00"),
    ],
)
def test_other_formats_are_refused_by_name_with_the_cure(data, told):
    error = refusal(data)
    assert error.reason == "IMAGE_UNREADABLE"
    assert error.description.startswith("expected a PNG, JPEG or WebP image")
    assert told in error.description


@pytest.mark.parametrize("layout", ["PNG", "JPEG", "WEBP"])
def test_a_broken_image_is_called_broken_and_never_an_object_of_python(layout):
    data = encoded(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8), layout)
    name = {"WEBP": "WebP"}.get(layout, layout)
    for end in (16, 20, len(data) // 2, len(data) - 30):
        error = refusal(data[:end])
        assert f"it is a broken {name}: it ends after {end:,} bytes" in error.description
    told = []
    for at in range(12, 60):
        spoilt = bytearray(data)
        spoilt[at] ^= 0xFF
        try:
            rgb(bytes(spoilt))
        except InvalidField as error:
            told.append(error.description)
    assert told
    assert not [each for each in told if "object" in each]


def test_a_png_that_was_changed_on_its_way_is_told_where():
    data = bytearray(encoded(PIXELS))
    data[60] ^= 0xFF
    description = refusal(bytes(data)).description
    assert "it is a broken PNG: the chunk IDAT at byte 33 does not fit its checksum" in description


def test_an_image_that_is_not_what_it_claims_to_be_is_refused():
    error = refusal(encoded(PIXELS), Format.JPEG)
    assert error.field == "image.format"
    assert "PNG" in error.description
    assert "JPEG" in error.description


@pytest.mark.parametrize("layout", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_image_is_refused_wherever_it_ends(layout):
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    data = encoded(noise, layout)
    for end in (12, 20, 30, len(data) // 3, len(data) // 2, len(data) - 30):
        assert refusal(data[:end]).reason == "IMAGE_UNREADABLE"


@given(at=st.integers(0, 400), byte=st.integers(0, 255), layout=st.sampled_from(["PNG", "JPEG", "WEBP"]))
@settings(max_examples=150, deadline=None)
def test_a_spoilt_image_is_read_or_refused_never_anything_else(at, byte, layout):
    data = bytearray(encoded(PIXELS, layout))
    data[at % len(data)] = byte
    with suppress(InvalidField):
        assert rgb(bytes(data)).ndim == 3


def test_a_bomb_is_refused_by_its_header_before_it_is_decoded():
    bomb = png(30_000, 30_000, data=b"")
    error = refusal(bomb)
    assert error.reason == "IMAGE_TOO_LARGE"
    assert "30000 x 30000" in error.description
    # Where the limit lets it in, decoding finds that there is nothing in it.
    assert refusal(png(50, 50)).reason == "IMAGE_UNREADABLE"


@pytest.mark.parametrize("options", [{"lossless": True}, {"lossless": False}, {"exif": b"Exif\0\0MM\0*"}])
def test_a_webps_size_is_read_off_its_header_whichever_kind_it_is(options):
    data = encoded(Image.new("RGB", (120, 90)), "WEBP", **options)
    assert "120 x 90" in refusal(data).description
    assert rgb(data, limits=ImageLimits(2**20, 120 * 90)).shape == (90, 120, 3)


def test_a_jpeg_is_turned_as_its_exif_data_says():
    exif = Image.Exif()
    exif[0x0112] = 6
    tall = Image.fromarray(np.repeat(np.arange(8, dtype=np.uint8)[:, None, None] * 30, 4, 1).repeat(3, 2))
    turned = rgb(encoded(tall, "JPEG", exif=exif, quality=100))
    assert turned.shape == (4, 8, 3)
    assert (np.diff(turned[0, :, 0].astype(int)) < 0).all()


def test_an_animation_shows_its_first_frame():
    frames = [Image.new("RGB", (5, 5), colour) for colour in ("red", "blue")]
    for layout in ("PNG", "WEBP"):
        data = encoded(frames[0], layout, save_all=True, append_images=frames[1:], lossless=True)
        np.testing.assert_array_equal(rgb(data)[2, 2], [255, 0, 0])


def test_a_mask_is_read_as_grey():
    grey = np.random.default_rng(0).integers(0, 256, (5, 7), np.uint8)
    for picture in (grey, np.repeat(grey[:, :, None], 3, 2)):
        found = read_grey(Encoded(encoded(picture), None, 0, 0, "mask"), LIMITS)
        np.testing.assert_array_equal(np.asarray(found), grey)
