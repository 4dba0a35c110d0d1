"""What exact edits start from: how attributes answer to codes, as measured when the pack was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CONTROLS = "controls.safetensors"
JACOBIAN = "jacobian"


@dataclass(frozen=True, eq=False)
class Controls:
    """How attributes answer to codes of W+.

    Attributes:
        jacobian: float32 [A, L, D], the mean over codes of the derivative of readings by the code.
        reach: of each attribute, the change up to which one step along the jacobian arrives within half of
            what it was to do; in readings, more than 0.
        codes: how many it was measured at.
    """

    jacobian: NDArray[np.float32]
    reach: tuple[float, ...]
    codes: int


def read_controls(table: Mapping[str, Any], jacobian: NDArray[np.float32]) -> Controls:
    """Read the table `controls` of a manifest.

    Raises:
        ValueError, KeyError, TypeError: a field is missing or not what it must be.
    """
    reach = tuple(map(float, table["reach"]))
    if len(reach) != len(jacobian):
        raise ValueError(f"controls.reach: expected {len(jacobian)} numbers, got {len(reach)}")
    if bad := [number for number in reach if not 0 < number < np.inf]:
        raise ValueError(f"controls.reach: expected finite numbers above 0, got {bad[0]:g}")
    return Controls(jacobian, reach, int(table["codes"]))


def controls_table(controls: Controls) -> dict[str, Any]:
    """The table `controls` of a manifest."""
    return {"codes": controls.codes, "reach": list(controls.reach)}
