"""What the demo found: one portrait a row, as numbers and as a contact sheet."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from relatent.cli import sheets
from relatent.client.results import EditedImage, Inversion
from relatent.core.targets import AttributePart

PACK = "demo"
MORPH_AMOUNTS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class EditColumn:
    """An edit of the sheet.

    Attributes:
        attribute: that changes.
        free: attributes that may change with it; all others stay.
    """

    attribute: str
    free: tuple[str, ...] = ()


EDITS = (
    EditColumn("smile"),
    EditColumn("yaw"),
    EditColumn("glasses"),
    EditColumn("age"),
    EditColumn("age", free=("glasses",)),
)


@dataclass(frozen=True)
class Portrait:
    """What became of one drawing."""

    path: Path
    encoded: Inversion
    inverted: Inversion
    edits: tuple[EditedImage, ...]
    morph: tuple[EditedImage, ...]


def report(portraits: Sequence[Portrait], engine: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    """The numbers.

    Args:
        portraits: at least one.
        engine: what ran the graphs.
        seconds: by phase; `refined` is that of the refinement.
    """
    images = [
        {
            "image": portrait.path,
            "encoder": asdict(portrait.encoded.quality),
            "refined": asdict(portrait.inverted.quality),
            "method": portrait.inverted.method,
            "steps": portrait.inverted.steps,
            "stop_reason": portrait.inverted.stop_reason.value,
            "seconds": portrait.inverted.timings.total,
        }
        for portrait in portraits
    ]
    steps = sum(portrait.inverted.steps for portrait in portraits)
    return {
        "engine": engine,
        "pack": PACK,
        "revision": portraits[0].inverted.latent.revision,
        "images": images,
        "mean": {
            "encoder": _mean([portrait.encoded for portrait in portraits]),
            "refined": _mean([portrait.inverted for portrait in portraits]),
        },
        "seconds": {phase: round(value, 3) for phase, value in seconds.items()},
        "steps_per_second": round(steps / seconds["refined"], 2),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("relatent", "grpcio", "numpy")},
        },
        "machine": {"system": platform.system(), "architecture": platform.machine()},
    }


def _mean(inversions: Sequence[Inversion]) -> dict[str, float]:
    documents = [asdict(inversion.quality) for inversion in inversions]
    measured = [key for key, value in documents[0].items() if value is not None]
    return {key: sum(each[key] for each in documents) / len(documents) for key in measured}


def contact_sheet(portraits: Sequence[Portrait], report: Mapping[str, Any]) -> Image.Image:
    """The picture."""
    columns = [
        sheets.Column("drawing", "never seen in training"),
        sheets.Column("encoder only", "no refinement"),
        sheets.Column(portraits[0].inverted.method, f"+ {portraits[0].inverted.steps} gradient steps"),
        *(
            sheets.Column(
                column.attribute.replace("_", " "),
                f"{' and '.join(column.free)} free" if column.free else "all else held",
                gap=column is EDITS[0],
            )
            for column in EDITS
        ),
        *(
            sheets.Column(f"morph {amount:.0%}", "towards the next row", gap=amount == MORPH_AMOUNTS[0])
            for amount in MORPH_AMOUNTS
        ),
    ]
    subtitle = (
        f"{report['engine']} engine, {report['steps_per_second']:.0f} refinement steps/s, "
        f"mean PSNR {report['mean']['encoder']['psnr']:.1f} dB to {report['mean']['refined']['psnr']:.1f} dB"
    )
    rows = [_row(portrait) for portrait in portraits]
    captions = [_captions(portrait) for portrait in portraits]
    return sheets.contact_sheet("Relatent: inversion and editing", subtitle, columns, rows, captions)


def _row(portrait: Portrait) -> list[Image.Image]:
    with Image.open(portrait.path) as drawing:
        original = drawing.convert("RGB")
    answers = [portrait.encoded.reconstruction, portrait.inverted.reconstruction]
    answers += [edited.image for edited in (*portrait.edits, *portrait.morph)]
    return [original, *(answer.image for answer in answers)]


def _captions(portrait: Portrait) -> list[str]:
    inversions = (portrait.encoded, portrait.inverted)
    return [
        portrait.path.stem,
        *(f"{inversion.quality.psnr:.1f} dB" for inversion in inversions),
        *map(_change, portrait.edits),
        *("" for _ in portrait.morph),
    ]


def _change(edited: EditedImage) -> str:
    """From what to what."""
    asked = [each for each in edited.targets[0].attributes.values() if each.part is AttributePart.ASKED]
    return ", ".join(f"{each.before:.2g} to {each.reached:.2g}" for each in asked)
