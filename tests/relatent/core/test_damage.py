"""Where a picture breaks is read off its frame, whatever its bytes are."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, UnidentifiedImageError

from relatent.core.damage import damage

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8))
PILLOWS = UnidentifiedImageError("cannot identify image file <_io.BytesIO object at 0x7f00>")


def written(kind: str) -> bytes:
    buffer = io.BytesIO()
    NOISE.save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF"])
def test_the_end_of_what_was_cut_is_told(kind: str) -> None:
    data = written(kind)
    for end in (12, len(data) // 2, len(data) - 4):
        assert damage(data[:end], PILLOWS).startswith(f"it ends after {end:,} bytes")


def test_the_chunk_is_told_in_which_a_png_ends() -> None:
    data = written("PNG")
    end = len(data) - 12
    assert damage(data[:-20], PILLOWS).endswith(f", within the chunk IDAT that should go on to byte {end:,}")
    assert damage(data[:-12], PILLOWS) == f"it ends after {end:,} bytes, before its end chunk"


def test_of_a_whole_frame_the_decoder_is_quoted_unless_it_speaks_of_python() -> None:
    assert damage(written("PNG"), PILLOWS) == "its data cannot be decoded"
    assert damage(written("PNG"), ValueError("bad filter")) == "bad filter"
    assert damage(b"II*\0 and so on", OSError("image file is truncated (3 bytes not processed)")) == (
        "it ends after 14 bytes, before its pixels do"
    )


@given(
    start=st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"\0\0\0\x08ftyp", b""]),
    rest=st.binary(max_size=80),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_bytes_are_something_is_told(start: bytes, rest: bytes) -> None:
    assert damage(start + rest, PILLOWS)
