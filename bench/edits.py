"""Edits of held-out drawings that the demo world can redraw: what was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from bench.drawings import HeldOut
from relatent_export.analysis.editing import Reader
from relatent_export.demo.portraits import draw_portraits

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

SHARES = (0.25, 0.5)
"""Of a factor's range, up and down."""
RANGE = 2.0
"""Of every factor: from -1 to 1."""
WITHIN = 0.02
"""Of the range: as near as counts as having arrived."""
_CHUNK = 64


@dataclass(frozen=True)
class Asked:
    """Changes asked of drawings, M of them.

    Attributes:
        drawing: of each the drawing's place, [M].
        changes: float32 [M, 16]; 0 for factors that are to stay.
    """

    drawing: NDArray[np.intp]
    changes: Floats

    def __len__(self) -> int:
        return len(self.drawing)

    @property
    def asked(self) -> NDArray[np.bool_]:
        """Which factors each asks for, [M, 16]."""
        asked: NDArray[np.bool_] = self.changes != 0
        return asked


def single_edits(drawings: HeldOut) -> Asked:
    """Every change of one factor by a quarter or a half of its range that stays within it."""
    found = [
        (place, factor, sign * share * RANGE)
        for place, factors in enumerate(drawings.factors)
        for factor, value in enumerate(factors)
        for share in SHARES
        for sign in (-1, 1)
        if abs(value + sign * share * RANGE) <= 1
    ]
    changes = np.zeros((len(found), drawings.factors.shape[1]), np.float32)
    for row, (_, factor, change) in enumerate(found):
        changes[row, factor] = change
    return Asked(np.array([place for place, _, _ in found]), changes)


def double_edits(singles: Asked, count: int, seed: int = 71) -> Asked:
    """Changes of two factors at once: pairs of single ones of the same drawing."""
    random = np.random.default_rng(seed)
    drawing: list[int] = []
    changes: list[Floats] = []
    while len(drawing) < count:
        one = int(random.integers(len(singles)))
        others = np.flatnonzero(singles.drawing == singles.drawing[one])
        other = int(random.choice(others))
        if not (singles.asked[one] & singles.asked[other]).any():
            drawing.append(int(singles.drawing[one]))
            changes.append(singles.changes[one] + singles.changes[other])
    return Asked(np.array(drawing), np.stack(changes))


def redrawn(drawings: HeldOut, asked: Asked) -> Bytes:
    """The drawings with the changes made, by the program that drew them: uint8 [M, 64, 64, 3]."""
    factors = torch.from_numpy(drawings.factors[asked.drawing] + asked.changes)
    side = drawings.images.shape[1]
    images = torch.cat([draw_portraits(chunk, side) for chunk in torch.split(factors, _CHUNK)])
    return np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())


def edit_report(
    asked: Asked, before: Bytes, after: Bytes, truth: Bytes, readers: Mapping[str, Reader]
) -> dict[str, float]:
    """What edits came to.

    Args:
        asked: the changes.
        before: the images that were edited, uint8 [N, R, R, 3], by the drawings' places.
        after: the edited ones, [M, R, R, 3].
        truth: as they should be, [M, R, R, 3].
        readers: `own`, the pack's network, and `judge`, which nothing was fitted to; in factors.

    Returns:
        `within_2_percent`, the share of edits whose factors all arrived so near; `miss`, and `leak` of the
        factors that were to stay, means in percent of the range; `judge_miss` and `judge_leak`; `truth_mse`,
        of pixels from 0 to 1; `worst_factor`, the least share of a factor's edits that arrived.
    """
    report: dict[str, float] = {}
    arrived = np.zeros(len(asked), bool)
    for name, prefix in (("own", ""), ("judge", "judge_")):
        read = readers[name]
        change = read(after) - read(before)[asked.drawing]
        miss = np.where(asked.asked, np.abs(change - asked.changes), np.nan) / RANGE
        leak = np.where(asked.asked, np.nan, np.abs(change)) / RANGE
        report[f"{prefix}miss"] = 100 * float(np.nanmean(miss))
        report[f"{prefix}leak"] = 100 * float(np.nanmean(leak))
        if name == "own":
            arrived = np.nanmax(miss, axis=1) <= WITHIN
    report["within_2_percent"] = float(arrived.mean())
    factors = range(asked.changes.shape[1])
    shares = [float(arrived[asked.asked[:, each]].mean()) for each in factors if asked.asked[:, each].any()]
    report["worst_factor"] = min(shares)
    difference = (after.astype(np.float32) - truth) / 255
    report["truth_mse"] = float(np.square(difference).mean())
    return report
