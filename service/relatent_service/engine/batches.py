"""Batches: arrays by name, with samples along the first axis of each; cut into parts, and put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from relatent_service.engine.engine import Array

Arrays = dict[str, Array]


def samples_of(batch: Mapping[str, Array]) -> int:
    """How many samples it has."""
    return len(next(iter(batch.values())))


def part(batch: Mapping[str, Array], begin: int, end: int) -> Arrays:
    """Some samples of a batch; the same numbers, not copied."""
    return {name: array[begin:end] for name, array in batch.items()}


def joined(parts: Sequence[Mapping[str, Array]]) -> Arrays:
    """The samples of one batch after those of the other; their names are the first one's."""
    return {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
