"""Principal components of W as edit directions: GANSpace.

Härkönen et al., "GANSpace: Discovering Interpretable GAN Controls" (2020). A file of the e4e family holds
mu (`mean`), orthonormal components c (`comp`) and the standard deviations sigma of the codes along them
(`std`). With rows c, lengths sigma and the bias -<mu, c>, a relative strength s is GANSpace's own
w + s * sigma * c, and an absolute one the e4e family's edit, which arrives at the coordinate s:
(s - <w - mu, c> / sigma) * c * sigma. The e4e family reads that coordinate off a code's first row for all
rows, and this project off each row: the same for codes of W.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from export.importers.direction_rows import Description, Numbers, direction, numbers
from export.importers.errors import DamagedFile, Refused, UnsupportedFile
from relatent.directions import Direction, DirectionSpace

SLIDER = 10.0
"""How far GANSpace's own sliders go, in standard deviations."""

_ORTHONORMAL = 1e-3


@dataclass(frozen=True)
class GanspaceEdit:
    """A published edit along a component.

    Attributes:
        component: its number, from 0.
        first_layer, last_layer: rows to move, both included. Lists of the e4e family leave the last one
            out: their (58, 7, 9, 7) is component 58, layers 7 to 8, strength 7.
        strength: as published; what the direction's range reaches to, either way.
    """

    component: int
    first_layer: int
    last_layer: int
    strength: float = SLIDER


def read_edit(text: str) -> tuple[str, GanspaceEdit]:
    """Read `NAME=INDEX:FIRST-LAST`, as it is typed.

    Raises:
        ValueError: it is not of that form.
    """
    found = re.fullmatch(r"(\w+)=(\d+):(\d+)-(\d+)", text)
    if found is None:
        raise ValueError(f"--component: expected NAME=INDEX:FIRST-LAST, such as eyes=54:7-8, got {text!r}")
    component, first, last = (int(number) for number in found.groups()[1:])
    return found[1], GanspaceEdit(component, first, last)


def read_edits(texts: Sequence[str]) -> dict[str, GanspaceEdit]:
    """Read several, each of a name of its own.

    Raises:
        ValueError: one is not of that form, or a name is there twice.
    """
    edits: dict[str, GanspaceEdit] = {}
    for name, edit in map(read_edit, texts):
        if name in edits:
            raise ValueError(f"--component: expected each name once, got {name!r} twice")
        edits[name] = edit
    return edits


def is_ganspace(data: Any) -> bool:
    """Whether a checkpoint's data is components of the e4e family's layout."""
    return isinstance(data, Mapping) and {"mean", "comp", "std"} <= data.keys()


def read_components(
    data: Mapping[str, Any],
    layers: int,
    width: int,
    description: Description,
    edits: Mapping[str, GanspaceEdit] | None,
    what: str,
) -> list[Direction]:
    """Make directions of components.

    Args:
        data: `mean` [1, D], `comp` [C, 1, D] and `std` [C].
        layers: rows of the generator's codes.
        width: numbers of a row.
        description: of the file; each component is called by its name and a number.
        edits: what to take, by name; every component on all layers if None.
        what: what it is, for errors; begins with the file.

    Raises:
        Refused: the components are of another width, or an edit is of none of them.
        ValueError: an edit's name is none.
    """
    components = numbers(data["comp"], f"{what}: comp")
    components = components.reshape(len(components), -1) if components.ndim > 1 else components[None]
    count = len(components)
    mean, deviations = (
        numbers(data["mean"], f"{what}: mean"),
        numbers(data["std"], f"{what}: std").reshape(-1),
    )
    if components.shape[1] != width or mean.shape != (width,):
        raise UnsupportedFile(
            f"{what}: expected components and a mean of {width} numbers, as this generator's codes have, got "
            f"{components.shape[1]} and {list(mean.shape)}"
        )
    if len(deviations) != count or not (deviations > 0).all():
        raise DamagedFile(f"{what}: std: expected {count} numbers above 0, one a component")
    if np.abs(np.linalg.norm(components, axis=1) - 1).max() > _ORTHONORMAL:
        raise DamagedFile(f"{what}: comp: expected components of unit norm")
    if edits is None:
        digits = max(2, len(str(count - 1)))
        edits = {
            f"{description.name}_{index:0{digits}d}": GanspaceEdit(index, 0, layers - 1)
            for index in range(count)
        }
    made = []
    for name, edit in edits.items():
        _check(edit, name, count, layers, what)
        made.append(
            _component(
                components[edit.component],
                float(deviations[edit.component]),
                mean,
                edit,
                layers,
                replace(
                    description,
                    name=name,
                    source=f"{description.source}, component {edit.component}",
                    reach=abs(edit.strength),
                ),
                what,
            )
        )
    return made


def _component(
    component: Numbers,
    deviation: float,
    mean: Numbers,
    edit: GanspaceEdit,
    layers: int,
    description: Description,
    what: str,
) -> Direction:
    unit = component / np.linalg.norm(component)
    return direction(
        np.tile(unit, (layers, 1)),
        DirectionSpace.W,
        description,
        what,
        lengths=(deviation,) * layers,
        bias=-float(mean @ unit),
        layers=(edit.first_layer, edit.last_layer),
    )


def _check(edit: GanspaceEdit, name: str, count: int, layers: int, what: str) -> None:
    if not 0 <= edit.component < count:
        raise Refused(
            f"{what}: edit {name!r}: expected a component from 0 to {count - 1}, got {edit.component}"
        )
    if not 0 <= edit.first_layer <= edit.last_layer < layers:
        raise Refused(
            f"{what}: edit {name!r}: expected first <= last <= {layers - 1}, got {edit.first_layer} and "
            f"{edit.last_layer}"
        )
    if not (np.isfinite(edit.strength) and edit.strength):
        raise Refused(f"{what}: edit {name!r}: expected a strength other than 0, got {edit.strength:g}")
