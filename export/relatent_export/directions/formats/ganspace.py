"""Principal components of W as edit directions: GANSpace.

Härkönen et al., "GANSpace: Discovering Interpretable GAN Controls" (2020). A file of the e4e family holds
mu (`mean`), orthonormal components c (`comp`) and the standard deviations sigma of the codes along them
(`std`). With rows c, lengths sigma and the bias -<mu, c>, a relative strength s is GANSpace's own
w + s * sigma * c, and an absolute one the e4e family's edit, which arrives at the coordinate s:
(s - <w - mu, c> / sigma) * c * sigma. The e4e family reads that coordinate off a code's first row for all
rows, and this project off each row: the same for codes of W.

GANSpace's own `cache/components/*.npz` hold `lat_mean`, `lat_comp` and `lat_stdev` of the codes, of W or of
Z, where the deviations are all 1; their `act_*`, of the activations, are not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnsupportedFile
from relatent_export.directions.formats.rows import Description, Numbers, direction, norms_of, numbers

SLIDER = 10.0
"""How far GANSpace's own sliders go, in standard deviations."""

_ORTHONORMAL = 1e-3

_LAYOUTS = (("mean", "comp", "std"), ("lat_mean", "lat_comp", "lat_stdev"))
"""Of the e4e family's files and of GANSpace's own."""


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
    """Whether a checkpoint's data is components, of the e4e family's layout or of GANSpace's own."""
    return isinstance(data, Mapping) and any(set(layout) <= data.keys() for layout in _LAYOUTS)


@dataclass(frozen=True)
class _Components:
    """Components [C, D] of unit norm, the deviations [C] along them, the mean [D] and their space."""

    rows: Numbers
    deviations: Numbers
    mean: Numbers
    space: Space


def components_of(data: Mapping[str, Any], what: str) -> tuple[int, int, Space]:
    """How many components a file has, of how many numbers and of which space.

    Raises:
        DamagedFile: they are none.
    """
    found = _components(data, what)
    return len(found.rows), found.rows.shape[1], found.space


def _components(data: Mapping[str, Any], what: str) -> _Components:
    mean_key, key, deviations_key = next(layout for layout in _LAYOUTS if set(layout) <= data.keys())
    rows = numbers(data[key], f"{what}: {key}")
    rows = rows.reshape(len(rows), -1) if rows.ndim > 1 else rows[None]
    mean = numbers(data[mean_key], f"{what}: {mean_key}").reshape(-1)
    deviations = numbers(data[deviations_key], f"{what}: {deviations_key}").reshape(-1)
    if len(deviations) != len(rows) or not all(is_deviation(number) for number in deviations):
        raise DamagedFile(f"{what}: {deviations_key}: expected {len(rows)} numbers above 0, one a component")
    if len(mean) != rows.shape[1]:
        raise DamagedFile(
            f"{what}: {mean_key}: expected {rows.shape[1]} numbers, as its components have, got {len(mean)}"
        )
    if np.abs(np.linalg.norm(rows, axis=1) - 1).max() > _ORTHONORMAL:
        raise DamagedFile(f"{what}: {key}: expected components of unit norm")
    # Its code leaves them so where codes are of Z, and measures them where they are of W.
    of_z = key == "lat_comp" and bool((deviations == 1).all())
    return _Components(rows, deviations, mean, Space.Z if of_z else Space.W)


def is_deviation(number: float) -> bool:
    """Whether a number can be how far a unit of strength moves: above 0, and held by a float32."""
    return 0 < number <= float(np.finfo(np.float32).max)


def read_components(
    data: Mapping[str, Any],
    layers: int,
    width: int,
    z_width: int,
    description: Description,
    edits: Mapping[str, GanspaceEdit] | None,
    what: str,
) -> list[Direction]:
    """Make directions of components.

    Args:
        data: `mean` [1, D], `comp` [C, 1, D] and `std` [C], or GANSpace's own names.
        layers: rows of the generator's codes.
        width: numbers of a row.
        z_width: width of its mapping network's input.
        description: of the file; each component is called by its name and a number.
        edits: what to take, by name; every component on all layers if None.
        what: what it is, for errors; begins with the file.

    Raises:
        Refused: the components are of another width, or an edit is of none of them, or of rows of Z.
        ValueError: an edit's name is none.
    """
    found = _components(data, what)
    of_z = found.space is Space.Z
    expected, taker = (z_width, "mapping network takes") if of_z else (width, "codes have")
    if found.rows.shape[1] != expected:
        raise UnsupportedFile(
            f"{what}: expected components of {expected} numbers, as this generator's {taker}, got "
            f"{found.rows.shape[1]}"
        )
    if of_z and edits is not None:
        raise Refused(f"{what}: its components are of Z, which has no rows to choose with --component")
    count = len(found.rows)
    if edits is None:
        digits = max(2, len(str(count - 1)))
        edits = {
            f"{description.name}_{index:0{digits}d}": GanspaceEdit(index, 0, layers - 1)
            for index in range(count)
        }
    made = []
    for name, edit in edits.items():
        check_edit(edit, name, count, layers, what)
        row = found.rows[edit.component]
        about = replace(
            description,
            name=name,
            source=f"{description.source}, component {edit.component}",
            reach=abs(edit.strength),
        )
        deviation, mean = float(found.deviations[edit.component]), found.mean
        made.append(component_direction(row, deviation, mean, edit, found.space, layers, about, what))
    return made


def component_direction(
    component: Numbers,
    deviation: float,
    mean: Numbers,
    edit: GanspaceEdit,
    space: Space,
    layers: int,
    description: Description,
    what: str,
) -> Direction:
    """Make a direction of one component [D], with the deviation along it and the mean it starts from.

    Raises:
        DamagedFile: it is zero.
    """
    unit = component / norms_of(component, what)
    rows = 1 if space is Space.Z else layers
    return direction(
        np.tile(unit, (rows, 1)),
        space,
        description,
        what,
        lengths=(deviation,) * rows,
        bias=-float(mean @ unit),
        layers=(0, 0) if space is Space.Z else (edit.first_layer, edit.last_layer),
    )


def check_edit(edit: GanspaceEdit, name: str, count: int, layers: int, what: str) -> None:
    """Check an edit against the number of components and the generator's rows.

    Raises:
        Refused: it is of none of them.
    """
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
