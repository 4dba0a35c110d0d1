"""Non-linear walks that zoom, shift, rotate and tint images (`relatent_export.directions.walks`).

As linear ones (`walk`), but each code goes a way of its own, in small steps. They are learned directions: the
pack holds a network for each, and has a graph for it.
"""

from __future__ import annotations

from relatent_export.directions.finders.finder import FinderInput, FoundDirection
from relatent_export.directions.transforms import TRANSFORMS
from relatent_export.directions.walks import WalkKind, train_walk


def find_nonlinear_walks(given: FinderInput) -> list[FoundDirection]:
    """One for each transformation, `nonlinear_zoom` and so on.

    Raises:
        ValueError: there are fewer samples than a batch.
        OSError: a run cannot be kept; names the file.
    """
    found = []
    for transform in TRANSFORMS.values():
        walk = train_walk(
            given.networks,
            transform,
            WalkKind.NON_LINEAR,
            given.layers,
            given.samples,
            given.seed,
            given.work,
        )
        found.append(FoundDirection.learned(given, f"nonlinear_{transform.name}", walk, transform.reach))
    return found
