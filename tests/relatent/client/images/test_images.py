"""Whatever a caller has becomes an image message, and an answer becomes what a caller wants."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import relatent
from relatent.client.images import image_message, picture
from relatent.v1 import types_pb2

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def decoded(message: types_pb2.Image) -> Image.Image:
    return Image.open(io.BytesIO(message.data))


def test_files_and_bytes_are_sent_as_they_are(tmp_path: Path) -> None:
    data = encoded(Image.fromarray(PIXELS), "JPEG")
    (tmp_path / "a.jpg").write_bytes(data)
    expected = types_pb2.Image(data=data)
    assert image_message(tmp_path / "a.jpg") == expected
    assert image_message(str(tmp_path / "a.jpg")) == expected
    assert image_message(data) == expected


@pytest.mark.parametrize("image", [PIXELS, PIXELS[:, ::-1][:, ::-1], Image.fromarray(PIXELS)])
def test_pixels_are_sent_raw(image: relatent.ImageInput) -> None:
    message = image_message(image)
    assert message.format == types_pb2.IMAGE_FORMAT_RAW_RGB
    assert (message.width, message.height, message.data) == (6, 4, PIXELS.tobytes())


def test_many_pixels_are_packed_without_loss() -> None:
    large = np.random.default_rng(0).integers(0, 255, (1200, 1200, 3)).astype(np.uint8)
    message = image_message(large)
    assert message.format == types_pb2.IMAGE_FORMAT_PNG
    assert np.array_equal(np.asarray(decoded(message)), large)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "1"])
def test_modes_that_png_holds_keep_what_they_hold(mode: str) -> None:
    message = image_message(Image.fromarray(PIXELS).convert(mode))
    assert decoded(message).mode == mode


@pytest.mark.parametrize("mode", ["CMYK", "HSV", "YCbCr"])
def test_other_modes_become_rgb(mode: str) -> None:
    message = image_message(Image.fromarray(PIXELS).convert(mode))
    assert (message.format, len(message.data)) == (types_pb2.IMAGE_FORMAT_RAW_RGB, PIXELS.size)


def grey(message: types_pb2.Image) -> list[int]:
    """The 16-bit pixels that are sent."""
    sent = decoded(message)
    assert sent.mode == "I;16"
    return [int(value) for value in np.asarray(sent).ravel()]


@pytest.mark.parametrize(("mode", "kind"), [("I", "i4"), ("I;16", "<u2"), ("I;16B", ">u2"), ("I;16L", "<u2")])
def test_sixteen_bits_are_sent_whole(mode: str, kind: str) -> None:
    values = np.array([[0, 255, 32768, 65535]], np.dtype(kind))
    image = Image.frombytes(mode, (4, 1), values.tobytes())
    assert grey(image_message(image)) == [0, 255, 32768, 65535]


def test_integers_beyond_sixteen_bits_are_black_and_white() -> None:
    image = Image.fromarray(np.array([[-1, 70_000]], np.int32))
    assert grey(image_message(image)) == [0, 65535]


def test_floating_point_grey_counts_from_0_to_1() -> None:
    values = np.array([[0, 0.5, 1, -1, 2, np.nan, np.inf]], np.float32)
    assert grey(image_message(Image.fromarray(values))) == [0, 32768, 65535, 0, 65535, 0, 65535]


@pytest.mark.parametrize("mode", ["I", "F", "YCbCr", "RGBX"])
def test_a_mode_that_png_has_not_keeps_its_profile(mode: str) -> None:
    image = Image.new(mode, (2, 2))
    image.info["icc_profile"] = b"a profile"
    assert decoded(image_message(image)).info["icc_profile"] == b"a profile"


@pytest.mark.parametrize(("mode", "sent"), [("La", "LA"), ("PA", "RGBA"), ("RGBa", "RGBA")])
def test_transparency_is_kept(mode: str, sent: str) -> None:
    assert decoded(image_message(Image.new(mode, (2, 2)))).mode == sent


def cmyk_profile(lightness: int) -> bytes:
    """An ICC profile, version 2, of a press whose only ink is black, on paper of this lightness of 255."""
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0])
    table += b"".join(value.to_bytes(4, "big") for value in (65536, 0, 0, 0, 65536, 0, 0, 0, 65536))
    table += bytes(range(256)) * 4 + bytes([lightness, 128, 128, 0, 128, 128]) * 2**3 + bytes(range(256)) * 3
    head = bytes(4) + bytes(4) + bytes([2, 0x40, 0, 0]) + b"prtrCMYKLab " + bytes(12) + b"acsp" + bytes(28)
    head += b"".join(value.to_bytes(4, "big") for value in (0xF6D6, 0x10000, 0xD32D)) + bytes(48)
    tags = (1).to_bytes(4, "big") + b"A2B0" + (144).to_bytes(4, "big") + len(table).to_bytes(4, "big")
    size = (144 + len(table)).to_bytes(4, "big")
    return size + head[4:] + tags + table


def test_printing_colours_are_what_their_profile_says() -> None:
    image = Image.new("CMYK", (1, 1), (255, 0, 0, 0))
    assert list(image_message(image).data) == [0, 255, 255]
    image.info["icc_profile"] = cmyk_profile(lightness=128)
    assert list(image_message(image).data) == pytest.approx([119] * 3, abs=2)
    image.info["icc_profile"] = b"no profile"
    assert list(image_message(image).data) == [0, 255, 255]


def test_a_picture_taken_sideways_is_sent_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.fromarray(PIXELS).save(buffer, "PNG", exif=exif)
    message = image_message(Image.open(buffer))
    assert (message.width, message.height) == (4, 6)


@pytest.mark.parametrize(
    "array",
    [
        PIXELS.astype(np.float32),
        PIXELS[..., 0],
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_an_array_that_holds_no_picture_is_refused(array: relatent.ImageInput) -> None:
    with pytest.raises(relatent.InputError, match=r"image: expected a uint8 array \[H, W, 3\], got"):
        image_message(array)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(relatent.InputError, match=r"mask: .*nowhere\.png: No such file"):
        image_message(tmp_path / "nowhere.png", "mask")


def test_anything_else_is_refused_by_its_type() -> None:
    with pytest.raises(relatent.InputError, match="got int"):
        image_message(3)  # type: ignore[arg-type]


def answer(kind: str) -> relatent.Picture:
    formats = {"PNG": types_pb2.IMAGE_FORMAT_PNG, "WEBP": types_pb2.IMAGE_FORMAT_WEBP}
    if kind == "RAW":
        data, code = PIXELS.tobytes(), types_pb2.IMAGE_FORMAT_RAW_RGB
    else:
        buffer = io.BytesIO()
        Image.fromarray(PIXELS).save(buffer, kind, lossless=True)
        data, code = buffer.getvalue(), formats[kind]
    return picture(types_pb2.Image(data=data, format=code, width=6, height=4))


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "RAW"])
def test_a_picture_gives_its_pixels(kind: str) -> None:
    assert np.array_equal(np.asarray(answer(kind)), PIXELS)
    assert np.asarray(answer(kind), np.float32).dtype == np.float32
    assert image_message(answer(kind)).data == answer(kind).data


def test_a_picture_is_saved_as_it_came_or_converted(tmp_path: Path) -> None:
    came = answer("PNG")
    came.save(tmp_path / "a.png")
    came.save(tmp_path / "a.bmp")
    answer("RAW").save(tmp_path / "raw.png")
    assert (tmp_path / "a.png").read_bytes() == came.data
    for name in ("a.bmp", "raw.png"):
        with Image.open(tmp_path / name) as saved:
            assert np.array_equal(np.asarray(saved), PIXELS)


@pytest.mark.parametrize("name", ["a.txt", "a", "only-read.psd"])
def test_a_name_of_no_picture_that_is_written_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(relatent.InputError, match="expected a name ending in"):
        answer("PNG").save(tmp_path / name)
    assert not (tmp_path / name).exists()
