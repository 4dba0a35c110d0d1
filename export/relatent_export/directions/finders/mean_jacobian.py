"""One direction an attribute, which holds all the others (`relatent_export.directions.jacobian`)."""

from __future__ import annotations

from relatent.core.directions import Direction
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.jacobian import jacobian_directions


def find_by_jacobian(given: FinderInput) -> list[Direction]:
    """A direction of W+ for each attribute, by its name."""
    assert given.controls is not None
    return jacobian_directions(given.attributes, given.controls)
