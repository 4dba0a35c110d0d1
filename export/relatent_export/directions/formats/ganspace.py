"""Principal components of W as edit directions: GANSpace.

Härkönen et al., "GANSpace: Discovering Interpretable GAN Controls" (2020). A file of the e4e family holds
mu (`mean`), orthonormal components c (`comp`) and the standard deviations sigma of the codes along them
(`std`). With vectors c, lengths sigma and the bias -<mu, c>, a relative strength s is GANSpace's own
w + s * sigma * c, and an absolute one the e4e family's edit, which arrives at the coordinate s:
(s - <w - mu, c> / sigma) * c * sigma. The e4e family reads that coordinate off a code's first layer for all
layers, and this project off each layer: the same for codes of W.

GANSpace's own `cache/components/*.npz` hold `lat_mean`, `lat_comp` and `lat_stdev` of the codes, of W or of
Z, where the deviations are all 1; their `act_*`, of the activations, are not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnsupportedFile
from relatent_export.directions.formats.published import (
    CodeShape,
    DirectionChoices,
    DirectionFormat,
    GanspaceEdit,
    name_of,
)
from relatent_export.directions.formats.vectors import Description, Numbers, direction, norms_of, numbers

_ORTHONORMAL = 1e-3

_LAYOUTS = (("mean", "comp", "std"), ("lat_mean", "lat_comp", "lat_stdev"))
"""Of the e4e family's files and of GANSpace's own."""

COMPONENTS = DirectionFormat("GANSpace components", "that of its publisher; those of the e4e family are MIT")


@dataclass(frozen=True, eq=False)
class GanspaceComponents:
    """Parsed components.

    Attributes:
        components: [C, D], of unit norm.
        deviations: along each, [C].
        mean: of the codes, [D].
        space: of the codes.
    """

    path: Path
    name: str
    components: Numbers
    deviations: Numbers
    mean: Numbers
    space: Space

    @property
    def format(self) -> DirectionFormat:
        """How they are published."""
        return COMPONENTS

    def describe(self) -> dict[str, str]:
        """What there is, in lines by their titles."""
        count, width = self.components.shape
        return {
            "directions": f"GANSpace, {count} components",
            "space": f"{self.space.upper()}, {width} numbers",
        }

    def directions(self, shape: CodeShape, choices: DirectionChoices) -> list[Direction]:
        """Directions of the components that `choices` name, or of all, for a generator.

        Raises:
            Refused: they are of another width, or an edit is of none of them, or chooses layers of Z.
            ValueError: an edit's name is not one that a direction can have.
        """
        what, of_z = str(self.path), self.space is Space.Z
        expected, taker = (shape.z_width, "mapping network takes") if of_z else (shape.width, "codes have")
        count, width = self.components.shape
        if width != expected:
            raise UnsupportedFile(
                f"{what}: expected components of {expected} numbers, as this generator's {taker}, got {width}"
            )
        if of_z and choices.edits:
            raise Refused(f"{what}: its components are of Z, which has no layers to choose with --component")
        made = []
        for name, edit in (choices.edits or self._all(shape.layers)).items():
            check_edit(edit, name, count, shape.layers, what)
            source = f"GANSpace, {self.path.name}, component {edit.component}"
            about = Description(name, source, choices.licence, abs(edit.strength))
            component, deviation = self.components[edit.component], float(self.deviations[edit.component])
            made.append(
                component_direction(
                    component, deviation, self.mean, edit, self.space, shape.layers, about, what
                )
            )
        return made

    def _all(self, layers: int) -> dict[str, GanspaceEdit]:
        """Each component on all layers, by the file's name and its number."""
        count = len(self.components)
        digits = max(2, len(str(count - 1)))
        return {f"{self.name}_{i:0{digits}d}": GanspaceEdit(i, 0, layers - 1) for i in range(count)}


def parse(data: Any, path: Path) -> GanspaceComponents | None:
    """Parse components, of the e4e family's layout or of GANSpace's own; None if a file holds none.

    Raises:
        Refused: they are not of unit norm, or do not fit their mean and deviations.
    """
    layout = next((each for each in _LAYOUTS if isinstance(data, Mapping) and set(each) <= data.keys()), None)
    if layout is None:
        return None
    what, (mean_key, key, deviations_key) = str(path), layout
    name, components = name_of(path), numbers(data[key], f"{what}: {key}")
    components = components.reshape(len(components), -1) if components.ndim > 1 else components[None]
    mean = numbers(data[mean_key], f"{what}: {mean_key}").reshape(-1)
    deviations = numbers(data[deviations_key], f"{what}: {deviations_key}").reshape(-1)
    count, width = components.shape
    if len(deviations) != count or not all(is_deviation(number) for number in deviations):
        raise DamagedFile(f"{what}: {deviations_key}: expected {count} numbers above 0, one a component")
    if len(mean) != width:
        raise DamagedFile(
            f"{what}: {mean_key}: expected {width} numbers, as its components have, got {len(mean)}"
        )
    if np.abs(np.linalg.norm(components, axis=1) - 1).max() > _ORTHONORMAL:
        raise DamagedFile(f"{what}: {key}: expected components of unit norm")
    # GANSpace's code leaves them at 1 where codes are of Z, and measures them where they are of W.
    of_z = key == "lat_comp" and bool((deviations == 1).all())
    space = Space.Z if of_z else Space.W
    return GanspaceComponents(path, name, components, deviations, mean, space)


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


def is_deviation(number: float) -> bool:
    """Whether a number can be how far a unit of strength moves: above 0, and held by a float32."""
    return 0 < number <= float(np.finfo(np.float32).max)


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
    count = 1 if space is Space.Z else layers
    return direction(
        np.tile(unit, (count, 1)),
        space,
        description,
        what,
        lengths=(deviation,) * count,
        bias=-float(mean @ unit),
        layers=(0, 0) if space is Space.Z else (edit.first_layer, edit.last_layer),
    )


def check_edit(edit: GanspaceEdit, name: str, count: int, layers: int, what: str) -> None:
    """Check an edit against the number of components and the generator's layers.

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
