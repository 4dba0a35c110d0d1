"""Pictures of kinds that the service does not take reach it all the same, upright and whole."""

from __future__ import annotations

import io
import logging
import struct
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image, ImageFile

import relatent
from relatent.client.images import image_message, packing
from relatent.v1 import types_pb2

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)
CONVERTED = ("TIFF", "BMP", "GIF", "AVIF")


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pixels(message: types_pb2.Image) -> Image.Image:
    """What the service would see."""
    if message.format == types_pb2.IMAGE_FORMAT_RAW_RGB:
        return Image.frombytes("RGB", (message.width, message.height), message.data)
    return Image.open(io.BytesIO(message.data), formats=["PNG"])


def refusal(data: bytes) -> str:
    with pytest.raises(relatent.InputError) as caught:
        image_message(data)
    return str(caught.value)


@pytest.mark.parametrize("kind", CONVERTED)
def test_a_file_of_another_kind_is_converted(kind: str, tmp_path: Path) -> None:
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[:, None, None], (1, 64, 3))
    path = tmp_path / "named-as-it-likes.jpg"
    path.write_bytes(encoded(Image.fromarray(smooth), kind, quality=90))
    for image in (path, path.read_bytes()):
        sent = np.asarray(pixels(image_message(image)).convert("RGB")).astype(int)
        assert np.abs(sent - smooth).max() <= (8 if kind == "AVIF" else 0)


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_a_file_taken_sideways_is_sent_upright(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert pixels(image_message(encoded(Image.fromarray(PIXELS), kind, exif=exif))).size == (6, 9)


@pytest.mark.parametrize("kind", ["TIFF", "AVIF"])
def test_a_file_keeps_its_colour_profile(kind: str) -> None:
    data = encoded(Image.fromarray(PIXELS), kind, icc_profile=b"a profile")
    assert pixels(image_message(data)).info["icc_profile"] == b"a profile"


def test_deep_grey_stays_deep() -> None:
    deep = Image.fromarray(np.array([[0, 255, 32768, 65535]], np.uint16))
    sent = pixels(image_message(encoded(deep, "TIFF")))
    assert np.asarray(sent).ravel().tolist() == [0, 255, 32768, 65535]


def test_printing_colours_become_rgb() -> None:
    message = image_message(encoded(Image.new("CMYK", (1, 1), (255, 0, 0, 0)), "TIFF"))
    assert list(message.data) == [0, 255, 255]


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "AVIF"])
def test_of_several_pictures_the_first_is_sent_and_a_line_says_so(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    with caplog.at_level(logging.WARNING):
        message = image_message(encoded(first, kind, save_all=True, append_images=[second]))
    assert pixels(message).convert("RGB").getpixel((8, 8)) == pytest.approx((255, 0, 0), abs=3)
    [record] = caplog.records
    assert "holds several; the first or primary one is taken" in record.getMessage()


@pytest.mark.parametrize("kind", CONVERTED)
def test_one_picture_is_no_news(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    image_message(encoded(Image.fromarray(PIXELS), kind))
    assert not caplog.records


@pytest.mark.parametrize("kind", CONVERTED)
def test_a_broken_file_is_called_broken_and_never_an_object_of_python(kind: str) -> None:
    data = encoded(Image.fromarray(np.tile(PIXELS, (20, 20, 1))), kind)
    for end in (30, 60, len(data) // 2, len(data) - 30):
        told = refusal(data[:end])
        assert f"{kind} picture that is broken or of an unusual kind: " in told
        assert "object" not in told
    assert "it ends after " in refusal(data[: len(data) // 2])


def test_a_broken_picture_of_pillows_is_called_broken() -> None:
    data = encoded(Image.fromarray(np.tile(PIXELS, (20, 20, 1))), "PNG")
    opened = Image.open(io.BytesIO(data[: len(data) // 2]))
    with opened, pytest.raises(relatent.InputError, match="image: a PIL image that is broken: "):
        image_message(opened)


def bombs() -> dict[str, bytes]:
    gif = b"GIF89a" + struct.pack("<HHBBB", 65000, 65000, 0, 0, 0)
    gif += b"\x2c" + struct.pack("<HHHHB", 0, 0, 65000, 65000, 0) + b"\x08\x02\x4c\x01\0\x3b"
    bmp = b"BM" + struct.pack("<IHHIIiiHHIIiiII", 154, 0, 0, 54, 40, 9000, 9000, 1, 24, 0, 0, 0, 0, 0, 0)
    tags = [(256, 9000), (257, 11000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (279, 9)]
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags))
    tiff += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags) + bytes(4)
    return {"65000 x 65000": gif, "9000 x 9000": bmp + bytes(100), "9000 x 11000": tiff}


@pytest.mark.parametrize(("size", "data"), bombs().items())
def test_a_bomb_is_refused_by_its_header_before_it_is_decoded(
    size: str, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda self: pytest.fail("was decoded"))
    assert f"expected at most 50,000,000 pixels, got {size} = " in refusal(data)


@pytest.mark.parametrize("tags", [{254: 1}, {50706: (1, 4, 0, 0)}])
def test_a_cameras_file_is_not_taken_for_the_thumbnail_in_it(tags: dict[int, Any]) -> None:
    data = encoded(Image.fromarray(PIXELS), "TIFF", tiffinfo=tags)
    assert "got a camera's RAW file; develop it, to PNG, JPEG or TIFF" in refusal(data)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(8)


def test_heic_without_its_decoder_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert "a HEIC picture, which needs a decoder: pip install 'relatent[heif]'" in refusal(HEIC)


def test_heic_is_decoded_by_the_extras_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def opener(file: io.BytesIO) -> Image.Image:
        assert file.read() == HEIC
        return Image.fromarray(PIXELS)

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(HeifImageFile=opener))
    assert image_message(HEIC).data == PIXELS.tobytes()


def test_a_pillow_built_without_avif_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.fromarray(PIXELS), "AVIF")
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    told = "an AVIF picture, and this Pillow was built without AVIF: install its wheel, or convert it to PNG"
    assert refusal(data) == f"image: {told}"


def test_a_large_picture_that_has_lost_some_already_is_not_sent_as_a_larger_png(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "_RAW_LIMIT", 10)
    monkeypatch.setattr(packing, "_LOSSY_LIMIT", 10)
    image = Image.fromarray(PIXELS)
    kinds = {kind: image_message(encoded(image, kind)).format for kind in ("AVIF", "TIFF")}
    assert kinds == {"AVIF": types_pb2.IMAGE_FORMAT_JPEG, "TIFF": types_pb2.IMAGE_FORMAT_PNG}
    image.putalpha(99)
    assert image_message(encoded(image, "AVIF")).format == types_pb2.IMAGE_FORMAT_PNG


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "got an empty file; copy or download it again"),
        (b"<html>", "got an HTML page; it may be an error page saved under the picture's name"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "got a Git LFS pointer, not the file itself; fetch",
        ),
        (b"%PDF-1.7", "got a PDF document; export the page as PNG"),
    ],
)
def test_what_is_no_picture_is_named_with_the_cure(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(relatent.InputError) as caught:
        image_message(path, "mask")
    expected = "expected a picture (PNG, JPEG, WebP, AVIF, HEIC, TIFF, BMP or GIF), "
    assert str(caught.value).startswith(f"mask: {path}: {expected}{told}")


def test_what_is_not_known_here_is_left_to_the_service() -> None:
    assert image_message(b"\0\1\2").data == b"\0\1\2"
