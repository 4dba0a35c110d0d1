"""Directions that a network tells from each other by what they change.

`relatent_export.directions.discovery` finds them. A unit of strength is a standard deviation of codes, and
strengths reach as far as pairs of images were apart.
"""

from __future__ import annotations

from relatent.core.directions import Direction
from relatent_export.directions.discovery import BATCH, discover
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.making import direction_of


def find_told_apart(given: FinderInput) -> list[Direction]:
    """As many as are asked for, `discovered_0` the one that is told best.

    Raises:
        ValueError: there are fewer samples than a batch, or one direction is asked for, which nothing can be
            told from, or more than codes are wide.
        OSError: the run cannot be kept; names the file.
    """
    config = given.networks.generator.config
    if not 2 <= given.count <= config.latent_width:
        raise ValueError(
            f"--count: expected 2 to the {config.latent_width} numbers of a code, got {given.count}"
        )
    if given.samples < BATCH:
        raise ValueError(f"--samples: expected {BATCH} or more, got {given.samples}")
    found = discover(given.networks, given.layers, given.count, given.samples, given.seed, given.work)
    lengths = [found.deviation] * config.layers
    return [
        direction_of(given, f"discovered_{index}", vector, lengths=lengths)
        for index, vector in enumerate(found.vectors.numpy())
    ]
