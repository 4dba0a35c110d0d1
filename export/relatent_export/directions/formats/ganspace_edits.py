"""Edits that GANSpace's viewer exports, `out/directions/*.pkl`: a component that was named and given layers.

The file holds no mean, so that the boundary of the direction goes through the origin: its bias is 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.directions.formats.ganspace import (
    check_edit,
    component_direction,
    is_deviation,
)
from relatent_export.directions.formats.published import (
    SLIDER,
    CodeShape,
    DirectionChoices,
    DirectionFormat,
    GanspaceEdit,
    name_of,
    slug,
)
from relatent_export.directions.formats.vectors import Description, Numbers, norms_of, numbers

EXPORTED_EDIT = DirectionFormat("GANSpace edit", "that of its publisher; GANSpace's own are Apache-2.0")


@dataclass(frozen=True, eq=False)
class ExportedEdit:
    """A parsed edit of GANSpace's viewer.

    Attributes:
        component: [D], as long as it is in the file.
        deviation: what one unit of strength moves along it.
        space: of the component.
        edit: its number, the layers that it moves, and how far its slider was.
    """

    path: Path
    name: str
    component: Numbers
    deviation: float
    space: Space
    edit: GanspaceEdit

    @property
    def format(self) -> DirectionFormat:
        """How it is published."""
        return EXPORTED_EDIT

    def describe(self) -> dict[str, str]:
        """What it holds, in lines by their titles."""
        edit = self.edit
        moved = f"layers {edit.first_layer} to {edit.last_layer}"
        return {
            "direction": f"GANSpace, component {edit.component}, {moved}",
            "space": f"{self.space.upper()}, {self.component.size} numbers",
        }

    def directions(self, shape: CodeShape, choices: DirectionChoices) -> list[Direction]:
        """The direction, for a generator.

        Raises:
            Refused: it is of another generator.
        """
        what, edit, of_z = str(self.path), self.edit, self.space is Space.Z
        expected = shape.z_width if of_z else shape.width
        if self.component.size != expected:
            raise UnsupportedFile(
                f"{what}: lat_comp: expected {expected} numbers, as this generator's {self.space.upper()} "
                f"has, got {self.component.size}"
            )
        check_edit(edit, self.name, edit.component + 1, shape.layers, what)
        if of_z and (edit.first_layer, edit.last_layer) != (0, shape.layers - 1):
            raise UnsupportedFile(
                f"{what}: moves layers {edit.first_layer} to {edit.last_layer} of what is mapped from Z, and "
                "a direction of Z moves all"
            )
        source = f"GANSpace, {self.path.name}, component {edit.component}"
        about = Description(self.name, source, choices.licence, abs(edit.strength))
        no_mean = np.zeros(expected)
        return [
            component_direction(
                self.component, self.deviation, no_mean, edit, self.space, shape.layers, about, what
            )
        ]


def parse(data: Any, path: Path) -> ExportedEdit | None:
    """Parse an exported edit; None if a file holds none.

    Raises:
        UnsupportedFile: it edits activations.
        DamagedFile: a field is not what it should be.
        Refused: neither the edit nor the file has a name to call the direction by.
    """
    if not isinstance(data, Mapping) or not {"lat_comp", "lat_stdev", "edit_type"} <= data.keys():
        return None
    what = str(path)
    name = slug(str(data.get("name", ""))) or name_of(path)
    if data["edit_type"] != "latent":
        raise UnsupportedFile(
            f"{what}: an edit of a layer's activations, and packs edit codes alone; export it from GANSpace "
            "in the mode 'latent'"
        )
    deviation = data["lat_stdev"]
    component_index, first, end = (
        _whole(data, field, what) for field in ("component_index", "edit_start", "edit_end")
    )
    if not isinstance(deviation, float | int) or not is_deviation(deviation):
        raise DamagedFile(f"{what}: lat_stdev: expected a number above 0, got {deviation!r:.80}")
    component = _component(data["lat_comp"], f"{what}: lat_comp")
    if component_index < 0 or not 0 <= first < end:
        raise DamagedFile(
            f"{what}: expected a component from 0 and layers edit_start < edit_end, got component "
            f"{component_index}, layers {first} to {end}"
        )
    space = str(data.get("latent_space", "")).lower()
    if space not in (Space.W, Space.Z):
        raise UnsupportedFile(f"{what}: latent_space: expected W or Z, got {data.get('latent_space')!r:.80}")
    edit = GanspaceEdit(component_index, first, end - 1, _reach(data.get("sigma_range")))
    return ExportedEdit(path, name, component, float(deviation), Space(space), edit)


def _component(value: Any, what: str) -> Numbers:
    component = numbers(value, what)
    if component.ndim != 1:
        raise DamagedFile(f"{what}: expected one component, got shape {list(component.shape)}")
    norms_of(component, what)
    return component


def _reach(sigma_range: Any) -> float:
    """How far the slider was; the usual range where the file does not say."""
    if not isinstance(sigma_range, float | int) or not 0 < abs(sigma_range) < float("inf"):
        return SLIDER
    return float(sigma_range)


def _whole(data: Mapping[str, Any], field: str, what: str) -> int:
    number = data.get(field)
    if type(number) is not int:
        raise DamagedFile(f"{what}: {field}: expected a whole number, got {number!r:.80}")
    return number
