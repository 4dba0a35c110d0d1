"""What a generator misses, as a table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from relatent.core.pack import Pack
from relatent_export.analysis.comparing import Comparison
from relatent_export.analysis.misses import ComparedAttribute, Misses
from relatent_export.analysis.spreads import AttributeSpread
from relatent_export.progress import printable
from relatent_export.writing import whole_file

_HEADER = ("attribute", "real", "generated", "left out %", "distance", "by chance", "")


def table(misses: Misses) -> str:
    """The figures in columns, the attributes in rows, and what is missed in the last line."""
    rows = [_HEADER, *(_row(each) for each in misses.ordered)]
    rows.append(("together", "", "", "", f"{misses.distance:.3g}", f"{misses.chance:.2g}", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [
        "  ".join(
            cell.rjust(width) if 0 < column < len(_HEADER) - 1 else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", f"missed: {', '.join(map(printable, misses.missed)) or 'nothing'}"])


def _row(each: ComparedAttribute) -> tuple[str, ...]:
    return (
        printable(each.name),
        _spread(each.real),
        _spread(each.generated),
        f"{100 * each.left_out:.0f} ± {100 * each.left_out_error:.0f}",
        f"{each.distance:.2g}{'*' if each.significant else ' '}",
        f"{each.chance:.2g}",
        f"missed: {', '.join(f'{low:.3g} to {high:.3g}' for low, high in each.gaps)}" if each.missed else "",
    )


def _spread(spread: AttributeSpread) -> str:
    return f"{spread.mean:.3g} ± {spread.deviation:.2g}"


def write_json(misses: Misses, pack: Pack, asked: Comparison, path: Path) -> None:
    """Write all figures.

    Raises:
        OSError: they cannot be written; names the file.
    """
    document: dict[str, Any] = {
        "pack": pack.name,
        "revision": pack.revision,
        "segmenter": None if asked.segmenter is None else asked.segmenter.name,
        "images": misses.real,
        "samples": misses.generated,
        "truncation": asked.truncation,
        "seed": asked.seed,
        "missed": list(misses.missed),
        "distance": misses.distance,
        "chance": misses.chance,
        "attributes": {each.name: entry(each) for each in misses.ordered},
    }
    with whole_file(path) as partial:
        partial.write_text(json.dumps(document, indent=2) + "\n")


def entry(compared: ComparedAttribute) -> dict[str, Any]:
    """One attribute's figures, as JSON has them, and whether it is missed."""
    figures = asdict(compared)
    del figures["name"]
    return {"missed": compared.missed, **figures}
