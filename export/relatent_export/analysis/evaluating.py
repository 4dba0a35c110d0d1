"""`relatent-export evaluate`: a pack's methods on a folder of images, as a table, JSON and plots."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from relatent.core.pack import Pack
from relatent_export.analysis.editing import Ranges, Reader, asked_edits
from relatent_export.analysis.evaluation import Evaluation, MethodFigures, attribute_reader, invert
from relatent_export.analysis.pictures import pictures_in, read_picture
from relatent_export.analysis.refining import Bytes, ExportedPack
from relatent_export.nets.networks import Networks
from relatent_export.writing import whole_file

_SAMPLES, _SEED = 256, 71
"""Of the generator, which the ranges of attributes are read off."""


def evaluate(
    exported: ExportedPack,
    networks: Networks,
    images: Path,
    methods: Sequence[str],
    into: Path,
    judge: Reader | None = None,
) -> str:
    """Invert a folder's images by several methods, and write what came of it.

    Args:
        exported: the pack's graphs.
        networks: its networks.
        images: a folder of pictures, cropped to squares as the service does.
        methods: by name; all of the pack's but those that take a text if left out.
        into: gets `evaluation.json`, `time.png` and `editability.png`.
        judge: another reader of attributes, for packs that have one beside them.

    Returns:
        The table.

    Raises:
        ValueError: there is no image, or no method of a name.
        OSError: a file cannot be read or written.
    """
    pack = exported.pack
    known = [name for name, method in pack.methods.items() if method.reconstructs]
    if unknown := [name for name in methods if name not in known]:
        raise ValueError(f"--methods: expected some of {', '.join(known)}, got {unknown[0]!r}")
    pictures = np.stack([read_picture(path, pack.resolution) for path in pictures_in(images)])
    evaluation = _evaluation(exported, networks, pictures, judge)
    found = {
        name: evaluation.figures(pack.methods[name], invert(exported, pack.methods[name], pictures))
        for name in methods or known
    }
    into.mkdir(parents=True, exist_ok=True)
    with whole_file(into / "evaluation.json") as partial:
        document = {
            "pack": pack.name,
            "revision": pack.revision,
            "images": len(pictures),
            "methods": {name: asdict(each) for name, each in found.items()},
        }
        partial.write_text(json.dumps(document, indent=2) + "\n")
    _plot(found, "seconds", "perceptual", into / "time.png")
    _plot(found, "mse", "leak", into / "editability.png")
    return table(found)


def table(found: Mapping[str, MethodFigures]) -> str:
    """The figures in columns, the methods in rows; a dash where nothing was measured."""
    names = ["method", *MethodFigures.__dataclass_fields__]
    rows = [[name, *(_shown(value) for value in asdict(each).values())] for name, each in found.items()]
    widths = [max(len(row[column]) for row in [names, *rows]) for column in range(len(names))]
    lines = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in [names, *rows]
    )
    return "\n".join(lines)


def _evaluation(
    exported: ExportedPack, networks: Networks, pictures: Bytes, judge: Reader | None
) -> Evaluation:
    if not exported.pack.attributes:
        return Evaluation(exported, networks, pictures, (), None, {})
    own = attribute_reader(exported)
    ranges = Ranges.of(own(_samples(exported)))
    readers = {"own": own} if judge is None else {"own": own, "judge": judge}
    return Evaluation(
        exported, networks, pictures, asked_edits(exported.pack, own(pictures), ranges), ranges, readers
    )


def _samples(exported: ExportedPack) -> Bytes:
    pack: Pack = exported.pack
    z = np.random.default_rng(_SEED).standard_normal((_SAMPLES, pack.z_width), np.float32)
    found = []
    for at in range(0, _SAMPLES, 16):
        feed = {"z": z[at : at + 16], "psi": np.ones((len(z[at : at + 16]), 1), np.float32)}
        found.append(exported.synthesize(exported.run("map", feed)["w"]))
    return np.concatenate(found)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _plot(found: Mapping[str, MethodFigures], across: str, up: str, path: Path) -> None:
    """A point a method; nothing where a figure is missing."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points: dict[str, tuple[Any, Any]] = {
        name: (getattr(each, across), getattr(each, up)) for name, each in found.items()
    }
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for name, (x, y) in points.items():
        if x is not None and y is not None:
            axes.scatter(x, y)
            axes.annotate(name, (x, y), textcoords="offset points", xytext=(4, 4), fontsize=8)
    axes.set(xlabel=across, ylabel=up, xscale="log")
    figure.tight_layout()
    with whole_file(path) as partial:
        figure.savefig(partial, format="png", dpi=120, metadata={"Software": None})
    pyplot.close(figure)
