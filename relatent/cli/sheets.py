"""Pictures made of pictures: strips, animations and labelled contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from relatent.client.images import save_image

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


def animation(images: Sequence[Image.Image], path: Path, seconds: float) -> None:
    """Write a GIF that goes there and back for ever; one way takes so many seconds."""
    frames = [*images, *images[-2:0:-1]]
    save_image(
        frames[0],
        path,
        save_all=True,
        append_images=frames[1:],
        duration=max(20, round(1000 * seconds / len(images))),
        loop=0,
    )


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
