"""What is wrong with a picture that does not decode, read off its frame; nothing but bytes is needed."""

from __future__ import annotations

import zlib

_JPEG_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers of JPEG that nothing belongs to."""
_START_OF_SCAN, _END = 0xDA, b"\xff\xd9"
_LARGEST_BOX = 2**40


def damage(data: bytes, error: Exception) -> str:
    """Say what is wrong with a picture, as the end of `it is broken: ...`.

    Args:
        data: all its bytes.
        error: what the decoder raised; told where the frame is whole, unless it speaks of Python's objects.
    """
    return _in_frame(data) or _told(data, error) or "its data cannot be decoded"


def _in_frame(data: bytes) -> str | None:
    if data.startswith(b"\x89PNG"):
        return _in_png(data)
    if data.startswith(b"\xff\xd8"):
        return _in_jpeg(data)
    if data[:4] == b"RIFF":
        return _short(data, 8 + int.from_bytes(data[4:8], "little")) if len(data) >= 8 else _ends(data)
    if data[4:8] == b"ftyp":
        return _in_boxes(data)
    return None


def _in_png(data: bytes) -> str | None:
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        name = kind.decode("ascii", "replace") if kind.isalpha() else kind.hex(" ")
        end = at + 12 + length
        if end > len(data):
            return f"{_ends(data)}, within the chunk {name} that should go on to byte {end:,}"
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            return f"the chunk {name} at byte {at:,} does not fit its checksum"
        if kind == b"IEND":
            return None
        at = end
    return f"{_ends(data)}, before its end chunk"


def _in_jpeg(data: bytes) -> str | None:
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return f"no marker at byte {at:,}, where one should be"
        marker = data[at + 1]
        if marker == 0xFF or marker in _JPEG_BARE:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _START_OF_SCAN:
            return None if data.find(_END, at) >= 0 else f"{_ends(data)}, within its pixels"
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return f"{_ends(data)}, before its pixels"


def _in_boxes(data: bytes) -> str | None:
    at = 0
    while at + 8 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if length == 1:
            length = int.from_bytes(data[at + 8 : at + 16], "big")
        if length == 0:  # goes on to the end, wherever that is
            return None
        if not 8 <= length < _LARGEST_BOX:
            return f"no box at byte {at:,}, where one should be"
        at += length
    return _short(data, at)


def _short(data: bytes, expected: int) -> str | None:
    return f"{_ends(data)} of {expected:,}" if len(data) < expected else None


def _ends(data: bytes) -> str:
    return f"it ends after {len(data):,} bytes"


def _told(data: bytes, error: Exception) -> str:
    text = str(error).strip()
    if data and (isinstance(error, EOFError) or "truncated" in text.lower()):
        return f"{_ends(data)}, before its pixels do"
    return "" if "object" in text else text
