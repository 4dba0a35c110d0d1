"""One direction an attribute, which holds all the others (`relatent_export.directions.jacobian`)."""

from __future__ import annotations

from dataclasses import replace

from relatent.core.directions import Direction
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.jacobian import jacobian_directions


def find_by_jacobian(given: FinderInput) -> list[Direction]:
    """A direction of W+ for each attribute, by its name, that points to more of it."""
    assert given.controls is not None
    found = jacobian_directions(given.attributes, given.controls)
    # More of an attribute is a lower reading where its scale is negative.
    return [
        direction if attribute.scale > 0 else replace(direction, vector=-direction.vector)
        for attribute, direction in zip(given.attributes, found, strict=True)
    ]
