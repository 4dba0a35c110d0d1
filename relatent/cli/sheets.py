"""Pictures made of pictures: strips, animations and labelled contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from relatent.client.images import save_image

_MOST_FPS = 50.0
"""Browsers slow down what is faster."""
_WEBP_QUALITY = 90
_PAPER, _INK, _FAINT = (250, 250, 248), (30, 32, 36), (120, 124, 130)


@dataclass(frozen=True)
class Column:
    """A column of a contact sheet.

    Attributes:
        title: above it.
        note: in smaller letters below the title.
        gap: whether a wider gap comes before it.
    """

    title: str
    note: str = ""
    gap: bool = False


def strip(images: Sequence[Image.Image], margin: int = 2) -> Image.Image:
    """Images of one size side by side."""
    width, height = images[0].size
    sheet = Image.new("RGB", (len(images) * (width + margin) - margin, height), _PAPER)
    for index, image in enumerate(images):
        sheet.paste(image, (index * (width + margin), 0))
    return sheet


def animation(frames: Sequence[Image.Image], path: Path, fps: float) -> None:
    """Write an animation that begins anew for ever, as GIF or WebP.

    Args:
        frames: of one size.
        path: ends in .gif or .webp.
        fps: frames a second; more than 50 are shown as 50 are.
    """
    # Of whole milliseconds, and none of them lost over many frames.
    ends = [round(1000 * index / min(fps, _MOST_FPS)) for index in range(len(frames) + 1)]
    durations = [end - begin for begin, end in pairwise(ends)]
    more = {"quality": _WEBP_QUALITY} if path.suffix.lower() == ".webp" else {}
    save_image(frames[0], path, save_all=True, append_images=frames[1:], duration=durations, loop=0, **more)


def sequence(frames: Sequence[Image.Image], folder: Path) -> None:
    """Write frames as numbered pictures, for what makes films of them.

    Raises:
        OSError: one cannot be written.
    """
    for frame, place in zip(frames, sequence_files(folder, len(frames)), strict=True):
        save_image(frame, place)


def sequence_files(folder: Path, count: int) -> list[Path]:
    """What the pictures of a sequence of so many are called."""
    return [folder / f"frame-{number:04d}.png" for number in range(1, count + 1)]


def contact_sheet(
    title: str,
    subtitle: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Image.Image]],
    captions: Sequence[Sequence[str]],
    cell: int = 152,
) -> Image.Image:
    """Draw a labelled grid of pictures.

    Args:
        title: above all.
        subtitle: below it, smaller.
        columns: their labels.
        rows: one picture a column, of any size; each is enlarged to the cell.
        captions: one text below each picture; may be empty.
        cell: side of a cell in pixels.
    """
    margin, space, wide = 28, 10, 30
    header, caption = 122, 24
    lefts, x = [], margin
    for index, column in enumerate(columns):
        x += wide - space if column.gap and index else 0
        lefts.append(x)
        x += cell + space
    width, height = x - space + margin, header + len(rows) * (cell + caption) + margin - 8
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((margin, 20), title, _INK, ImageFont.load_default(26))
    draw.text((margin, 54), subtitle, _FAINT, ImageFont.load_default(15))
    for column, left in zip(columns, lefts, strict=True):
        draw.text((left, header - 42), column.title, _INK, ImageFont.load_default(15))
        draw.text((left, header - 22), column.note, _FAINT, ImageFont.load_default(12))
    for number, (pictures, texts) in enumerate(zip(rows, captions, strict=True)):
        top = header + number * (cell + caption)
        for left, picture, text in zip(lefts, pictures, texts, strict=True):
            sheet.paste(picture.convert("RGB").resize((cell, cell), Image.Resampling.LANCZOS), (left, top))
            draw.text((left, top + cell + 3), text, _FAINT, ImageFont.load_default(12))
    return sheet
