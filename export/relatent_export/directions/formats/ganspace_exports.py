"""Edits that GANSpace's viewer exports, `out/directions/*.pkl`: a component that was named and given rows.

The file holds no mean, so that the boundary of the direction goes through the origin: its bias is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.directions.formats.ganspace import (
    SLIDER,
    GanspaceEdit,
    check_edit,
    component_direction,
    is_deviation,
)
from relatent_export.directions.formats.rows import Description, Numbers, norms_of, numbers


def is_edit(data: Any) -> bool:
    """Whether a checkpoint's data is one edit, as GANSpace's viewer exports it."""
    return isinstance(data, Mapping) and {"lat_comp", "lat_stdev", "edit_type"} <= data.keys()


@dataclass(frozen=True)
class ExportedEdit:
    """An edit as GANSpace's viewer exports it.

    Attributes:
        row: the component, [D], as long as it is in the file.
        deviation: what one unit of strength moves along it.
        space: of the component.
        edit: its number, the rows that it moves, and how far its slider was.
    """

    row: Numbers
    deviation: float
    space: Space
    edit: GanspaceEdit


def exported_edit(data: Mapping[str, Any], what: str) -> ExportedEdit:
    """Read an exported edit.

    Raises:
        UnsupportedFile: it edits activations.
        DamagedFile: a field is not what it should be.
    """
    if data["edit_type"] != "latent":
        raise UnsupportedFile(
            f"{what}: an edit of a layer's activations, and packs edit codes alone; export it from GANSpace "
            "in the mode 'latent'"
        )
    component, first, end = (
        _whole(data, field, what) for field in ("component_index", "edit_start", "edit_end")
    )
    deviation, reach = data["lat_stdev"], data.get("sigma_range")
    if not isinstance(deviation, float | int) or not is_deviation(deviation):
        raise DamagedFile(f"{what}: lat_stdev: expected a number above 0, got {deviation!r:.80}")
    if not isinstance(reach, float | int) or not 0 < abs(reach) < float("inf"):
        reach = SLIDER
    row = numbers(data["lat_comp"], f"{what}: lat_comp")
    if row.ndim != 1:
        raise DamagedFile(f"{what}: lat_comp: expected one component, got shape {list(row.shape)}")
    norms_of(row, f"{what}: lat_comp")
    if component < 0 or not 0 <= first < end:
        raise DamagedFile(
            f"{what}: expected a component from 0 and rows edit_start < edit_end, got component {component}, "
            f"rows {first} to {end}"
        )
    space = str(data.get("latent_space", "")).lower()
    if space not in (Space.W, Space.Z):
        raise UnsupportedFile(f"{what}: latent_space: expected W or Z, got {data.get('latent_space')!r:.80}")
    edit = GanspaceEdit(component, first, end - 1, float(reach))
    return ExportedEdit(row, float(deviation), Space(space), edit)


def _whole(data: Mapping[str, Any], field: str, what: str) -> int:
    number = data.get(field)
    if type(number) is not int:
        raise DamagedFile(f"{what}: {field}: expected a whole number, got {number!r:.80}")
    return number


def read_exported(
    data: Mapping[str, Any], layers: int, width: int, z_width: int, description: Description, what: str
) -> Direction:
    """Make a direction of an exported edit.

    Args:
        data: `lat_comp` [1, D], `lat_stdev`, `latent_space`, `edit_type`, `edit_start`, `edit_end`.
        layers: rows of the generator's codes.
        width: numbers of a row.
        z_width: width of its mapping network's input.
        description: of the direction.
        what: what it is, for errors; begins with the file.

    Raises:
        Refused: it is of another generator, or not of codes.
    """
    found = exported_edit(data, what)
    of_z, edit = found.space is Space.Z, found.edit
    expected = z_width if of_z else width
    if found.row.size != expected:
        raise UnsupportedFile(
            f"{what}: lat_comp: expected {expected} numbers, as this generator's {found.space.upper()} has, "
            f"got {found.row.size}"
        )
    check_edit(edit, description.name, edit.component + 1, layers, what)
    if of_z and (edit.first_layer, edit.last_layer) != (0, layers - 1):
        raise UnsupportedFile(
            f"{what}: moves rows {edit.first_layer} to {edit.last_layer} of what is mapped from Z, and a "
            "direction of Z moves all"
        )
    about = replace(
        description,
        source=f"{description.source}, component {edit.component}",
        reach=abs(edit.strength),
    )
    nothing = np.zeros(expected)
    return component_direction(found.row, found.deviation, nothing, edit, found.space, layers, about, what)
