"""Files are called by their names."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save

from relatent.client.latents import LatentCode
from relatent.core.filetypes import HEAD, Use, recognise


def ftyp(brand: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + brand + bytes(4) + b"".join(compatible)
    return (4 + len(body)).to_bytes(4, "big") + body + bytes(20)


def written(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF", "AVIF"])
def test_what_pillow_writes_is_recognised(kind: str) -> None:
    found = recognise(written(kind)[:HEAD])
    assert found is not None
    assert found.short == kind
    assert found.use is (Use.SENT if kind in ("PNG", "JPEG", "WebP") else Use.CONVERTED)


@pytest.mark.parametrize(
    ("data", "name", "use"),
    [
        (b"", "an empty file", Use.OTHER),
        (ftyp(b"heic", b"mif1", b"heic"), "a HEIC picture", Use.CONVERTED),
        (ftyp(b"mif1", b"mif1", b"heic"), "a HEIC picture", Use.CONVERTED),
        (ftyp(b"mif1", b"avif", b"mif1"), "an AVIF picture", Use.CONVERTED),
        (ftyp(b"crx ", b"isom"), "a camera's RAW file", Use.FOREIGN),
        (ftyp(b"qt  "), "an MP4 or QuickTime video", Use.OTHER),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's RAW file", Use.FOREIGN),
        (b"FUJIFILMCCD-RAW 0201", "a camera's RAW file", Use.FOREIGN),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", Use.FOREIGN),
        (b"\xff\x0a\xfa\x1f", "a JPEG XL picture", Use.FOREIGN),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "a JPEG 2000 picture", Use.FOREIGN),
        (b"8BPS\0\1", "a Photoshop document", Use.FOREIGN),
        (b"\0\0\1\0\1\0\x10\x10", "a Windows icon", Use.FOREIGN),
        (b"P6\n8 8\n255\n" + bytes(99), "a PNM picture", Use.FOREIGN),
        (bytes(128) + b"DICM", "a DICOM picture", Use.FOREIGN),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing", Use.FOREIGN),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a -->\n<svg/>', "an SVG drawing", Use.FOREIGN),
        (b"\n<!doctype HTML>\n<title>Not found</title>", "an HTML page", Use.OTHER),
        (b'<?xml version="1.0"?><html xmlns="">', "an HTML page", Use.OTHER),
        (b'<?xml version="1.0"?><x:xmpmeta/>', "an XML file", Use.OTHER),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "a Git LFS pointer, not the file itself",
            Use.OTHER,
        ),
        (b"%PDF-1.4", "a PDF document", Use.OTHER),
        (b"PK\3\4\x14\0", "a ZIP archive", Use.OTHER),
        (b"\x1f\x8b\x08\0", "a gzip archive", Use.OTHER),
        (save({"latent": np.zeros(3)}), "a safetensors file", Use.OTHER),
        (b"a portrait of somebody, 1902\n", "a text file", Use.OTHER),
        (("a" + "ä" * HEAD).encode(), "a text file", Use.OTHER),
        (b"BMW, a list of prices", "a text file", Use.OTHER),
    ],
)
def test_what_else_is_handed_over_is_recognised(data: bytes, name: str, use: Use) -> None:
    found = recognise(data[:HEAD])
    assert found is not None
    assert (found.name, found.use) == (name, use)
    assert found.cure


@pytest.mark.parametrize("data", [b"\0" * 64, bytes(range(256)), b"\xff" * 64, b"\xc3", b"RIFF\4\0\0\0AVI "])
def test_what_is_not_known_is_not_guessed(data: bytes) -> None:
    assert recognise(data) is None


def test_a_code_of_ours_is_told_from_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    LatentCode(np.zeros((2, 4), np.float32), "tiny", "ab").save(path)
    found = recognise(path.read_bytes()[:HEAD])
    assert found is not None
    assert found.name == "a safetensors file"
