"""What a file is, told by its first bytes, and what to do about one that is not taken as a picture.

Nothing is decoded here, and nothing but bytes is needed, so that client and service tell the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

HEAD = 1024
"""How many of a file's first bytes `recognise` needs at most."""

CLIENT_TAKES = "a picture (PNG, JPEG, WebP, AVIF, HEIC, TIFF, BMP or GIF)"
SERVICE_TAKES = "a PNG, JPEG or WebP image"

_TAKEN = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".webp", ".avif", ".avifs", ".heic"}
_TAKEN |= {".heif", ".hif", ".tif", ".tiff", ".bmp", ".dib", ".gif"}
_NOT_TAKEN = {".jxl", ".jp2", ".j2k", ".jpf", ".psd", ".psb", ".svg", ".svgz", ".ico", ".exr", ".dds", ".xcf"}
_NOT_TAKEN |= {".tga", ".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".qoi", ".eps"}
_OF_CAMERAS = {".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf", ".pef"}
_OF_CAMERAS |= {".srw", ".3fr", ".iiq"}
PICTURE_SUFFIXES = frozenset(_TAKEN | _NOT_TAKEN | _OF_CAMERAS)
"""Endings, in lower case, of names that claim to be those of pictures."""


class Use(Enum):
    """What becomes of a file that is handed over as a picture."""

    SENT = "sent"
    """It goes to the service as it is."""
    CONVERTED = "converted"
    """The client makes of it what the service takes."""
    FOREIGN = "foreign"
    """It is a picture, but of a kind that neither takes."""
    OTHER = "other"
    """It is no picture."""


@dataclass(frozen=True)
class FileType:
    """A kind of file.

    Attributes:
        name: what to call it in a sentence, with its article.
        use: what becomes of it.
        cure: what to do where it is not taken.
    """

    name: str
    use: Use
    cure: str = ""

    @property
    def short(self) -> str:
        """The name without article and noun, such as `PNG`; what a broken one is called by."""
        return self.name.removeprefix("a ").removeprefix("an ").removesuffix(" picture")

    def refusal(self, expected: str) -> str:
        """Why a file of this kind is not taken, and the cure.

        Args:
            expected: what would be taken, `CLIENT_TAKES` or `SERVICE_TAKES`.
        """
        return f"expected {expected}, got {self.name}; {self.cure}"


_BY_CLIENT = "Relatent's client converts it when handed the file; else convert it to PNG"
_TO_PNG = "convert it to PNG"

PNG = FileType("a PNG picture", Use.SENT)
JPEG = FileType("a JPEG picture", Use.SENT)
WEBP = FileType("a WebP picture", Use.SENT)
AVIF = FileType("an AVIF picture", Use.CONVERTED, _BY_CLIENT)
HEIC = FileType("a HEIC picture", Use.CONVERTED, _BY_CLIENT)
TIFF = FileType("a TIFF picture", Use.CONVERTED, _BY_CLIENT)
BMP = FileType("a BMP picture", Use.CONVERTED, _BY_CLIENT)
GIF = FileType("a GIF picture", Use.CONVERTED, _BY_CLIENT)
RAW = FileType("a camera's RAW file", Use.FOREIGN, "develop it, to PNG, JPEG or TIFF")
_JPEG_XL = FileType("a JPEG XL picture", Use.FOREIGN, _TO_PNG)
_JPEG_2000 = FileType("a JPEG 2000 picture", Use.FOREIGN, _TO_PNG)
_SVG = FileType("an SVG drawing", Use.FOREIGN, "render it to PNG")
EMPTY = FileType("an empty file", Use.OTHER, "copy or download it again")
_LFS = FileType("a Git LFS pointer, not the file itself", Use.OTHER, "fetch the file: git lfs pull")
_HTML = FileType(
    "an HTML page", Use.OTHER, "it may be an error page saved under the picture's name: download it again"
)
_XML = FileType("an XML file", Use.OTHER, "hand over a picture")
_TEXT = FileType("a text file", Use.OTHER, "hand over a picture")
_ARCHIVE_CURE = "unpack it and hand over the pictures in it"
_VIDEO_CURE = "take a frame of it as PNG"
_VIDEO = FileType("an MP4 or QuickTime video", Use.OTHER, _VIDEO_CURE)

_STARTS: tuple[tuple[bytes, FileType], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"IIU\0", RAW),
    (b"II*\0", TIFF),
    (b"MM\0*", TIFF),
    (b"II+\0", TIFF),
    (b"MM\0+", TIFF),
    (b"\xff\x0a", _JPEG_XL),
    (b"\0\0\0\x0cJXL \r\n\x87\n", _JPEG_XL),
    (b"\0\0\0\x0cjP  \r\n\x87\n", _JPEG_2000),
    (b"\xff\x4f\xff\x51", _JPEG_2000),
    (b"8BPS", FileType("a Photoshop document", Use.FOREIGN, "export it as PNG")),
    (b"gimp xcf", FileType("a GIMP document", Use.FOREIGN, "export it as PNG")),
    (b"\x76\x2f\x31\x01", FileType("an OpenEXR picture", Use.FOREIGN, _TO_PNG)),
    (b"DDS ", FileType("a DDS texture", Use.FOREIGN, _TO_PNG)),
    (b"qoif", FileType("a QOI picture", Use.FOREIGN, _TO_PNG)),
    (b"%!PS", FileType("a PostScript document", Use.FOREIGN, "render it to PNG")),
    (b"%PDF-", FileType("a PDF document", Use.OTHER, "export the page as PNG")),
    (b"PK\3\4", FileType("a ZIP archive", Use.OTHER, _ARCHIVE_CURE)),
    (b"\x1f\x8b", FileType("a gzip archive", Use.OTHER, _ARCHIVE_CURE)),
    (b"7z\xbc\xaf\x27\x1c", FileType("a 7-Zip archive", Use.OTHER, _ARCHIVE_CURE)),
    (b"Rar!\x1a\7", FileType("a RAR archive", Use.OTHER, _ARCHIVE_CURE)),
    (b"\x1a\x45\xdf\xa3", FileType("a Matroska or WebM video", Use.OTHER, _VIDEO_CURE)),
    (b"\x93NUMPY", FileType("a NumPy array", Use.OTHER, "load it and hand over the array: uint8 [H, W, 3]")),
    (b"version https://git-lfs.github.com/spec/", _LFS),
)
_SAFETENSORS = FileType(
    "a safetensors file", Use.OTHER, "a latent code is for `relatent edit` and LatentCode.load"
)
_PNM = FileType("a PNM picture", Use.FOREIGN, _TO_PNG)
_DICOM = FileType("a DICOM picture", Use.FOREIGN, _TO_PNG)
_ICON = FileType("a Windows icon", Use.FOREIGN, _TO_PNG)

_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})
"""Sizes of the headers that BMP has had: `BM` alone is too little to tell by."""
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})


def recognise(head: bytes) -> FileType | None:
    """What a file is.

    Args:
        head: its first `HEAD` bytes, or all of it.

    Returns:
        None for what is not known here.
    """
    if not head:
        return EMPTY
    for start, found in _STARTS:
        if head.startswith(start):
            # Canon's older RAW files are laid out as TIFF.
            return RAW if found is TIFF and head[8:10] == b"CR" else found
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return WEBP
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADERS:
        return BMP
    if head[:4] == b"\0\0\1\0" and head[4:6] not in (b"", b"\0\0"):
        return _ICON
    if head[128:132] == b"DICM":
        return _DICOM
    if head[8:10] == b'{"' and int.from_bytes(head[:8], "little") < 100_000_000:
        return _SAFETENSORS
    if re.match(rb"P[1-7]\s+(#|\d|WIDTH)", head):
        return _PNM
    return _as_text(head[:HEAD])


def _by_brand(head: bytes) -> FileType:
    """One of the formats that are boxes, as MP4 is; which one say its brands."""
    size = min(int.from_bytes(head[:4], "big"), len(head))
    first, compatible = head[8:12], {head[at : at + 4] for at in range(16, size - 3, 4)}
    if first == b"crx ":
        return RAW
    if first == b"jxl ":
        return _JPEG_XL
    # Of pictures in general (`mif1`) what else they are compatible with decides.
    if first in _AVIF_BRANDS or (first in (b"mif1", b"msf1") and compatible & _AVIF_BRANDS):
        return AVIF
    return HEIC if first in _HEIC_BRANDS else _VIDEO


def _as_text(head: bytes) -> FileType | None:
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < HEAD - 3:  # else the cut may go through a character
            return None
        text = head[: error.start].decode("utf-8-sig")
    if re.search(r"[^\t\n\f\r\x1b -~\x80-\U0010ffff]", text):
        return None
    start = text.lstrip().lower()
    if re.match(r"<!doctype html|<html|<head|<body", start) or (start[:1] == "<" and "<html" in start):
        return _HTML
    if start[:1] == "<" and "<svg" in start:
        return _SVG
    return _XML if start.startswith("<?xml") else _TEXT
