"""How codes answer edits: the gain of what an edit asks for, and the leak into what it does not.

The same edits are asked of every method's codes. An edit asks one attribute to change by so much; the
direction's calibration says what strength that takes. The *gain* is the change that came over the change
asked for; the *leak* is the mean absolute change of all other attributes, in percent of their ranges. An
edit that would take an attribute out of its range is not asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.code_edits import CodeEdit
from relatent.core.codes import Codes
from relatent.core.directions import Direction
from relatent.core.edits import DirectionMove
from relatent.core.pack import Pack

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

Reader = Callable[[Bytes], Floats]
"""Images uint8 [B, R, R, 3] to attributes float32 [B, A], in the pack's order."""

SHARE = 0.25
"""Of an attribute's range, up and down, that edits ask for."""


@dataclass(frozen=True)
class AskedEdit:
    """An edit that is asked of some of the codes.

    Attributes:
        direction: along which.
        attribute: place of the attribute that it asks to change.
        change: how much, in the attribute's units.
        codes: places of the codes that it is asked of.
    """

    direction: Direction
    attribute: int
    change: float
    codes: tuple[int, ...]

    @property
    def edit(self) -> CodeEdit:
        """What to do to a code."""
        return CodeEdit((DirectionMove(self.direction, (self.change / self.direction.calibration,)),))


@dataclass(frozen=True)
class Ranges:
    """Of attributes, in the pack's order.

    Attributes:
        low, high: float32 [A].
    """

    low: Floats
    high: Floats

    @classmethod
    def of(cls, attributes: Floats) -> Ranges:
        """Those of samples' attributes [N, A]: all but the outermost hundredth of them."""
        low, high = np.percentile(attributes, [0.5, 99.5], axis=0)
        return cls(low.astype(np.float32), high.astype(np.float32))

    @property
    def width(self) -> Floats:
        """How far each goes."""
        return self.high - self.low


@dataclass(frozen=True)
class EditFigures:
    """Of the same edits of some codes.

    Attributes:
        gain: a mean over the edits; 1 is what was asked for.
        leak: a mean over the edits, in percent of the attributes' ranges.
        edits: how many there were.
    """

    gain: float
    leak: float
    edits: int


def asked_edits(pack: Pack, attributes: Floats, ranges: Ranges) -> list[AskedEdit]:
    """The edits that can be asked of images.

    Args:
        pack: whose calibrated directions are asked, the first of each attribute.
        attributes: of the images, [N, A].
        ranges: of attributes.
    """
    edits, known = [], set(pack.attribute_names)
    for direction in pack.directions.values():
        if direction.calibration == 0 or direction.attribute not in known:
            continue
        known.remove(direction.attribute)
        index = pack.attribute_names.index(direction.attribute)
        for sign in (-1, 1):
            change = float(sign * SHARE * ranges.width[index])
            after = attributes[:, index] + change
            feasible = np.flatnonzero((after >= ranges.low[index]) & (after <= ranges.high[index]))
            if len(feasible):
                edits.append(AskedEdit(direction, index, change, tuple(map(int, feasible))))
    return edits


def edited(codes: Codes, asked: AskedEdit) -> Codes:
    """The codes that an edit is asked of, edited."""
    picked = [asked.edit.apply(codes[place : place + 1]) for place in asked.codes]
    return Codes.joined(picked)


def edit_figures(
    asked: Sequence[AskedEdit], before: Floats, after: Sequence[Floats], ranges: Ranges
) -> EditFigures:
    """What edits came to.

    Args:
        asked: the edits.
        before: attributes of the codes' own images, [N, A].
        after: for each edit those of the edited images, [its codes, A].
        ranges: of attributes.
    """
    gains, leaks = [], []
    for edit, found in zip(asked, after, strict=True):
        change = found - before[list(edit.codes)]
        gains.append(change[:, edit.attribute] / edit.change)
        others = np.delete(np.abs(change) / ranges.width, edit.attribute, axis=1)
        leaks.append(100 * others.mean(1))
    gain, leak = np.concatenate(gains), np.concatenate(leaks)
    return EditFigures(float(gain.mean()), float(leak.mean()), len(gain))


def measure_edits(
    codes: Codes,
    asked: Sequence[AskedEdit],
    images_of: Callable[[Codes], Bytes],
    readers: Mapping[str, Reader],
    ranges: Ranges,
) -> dict[str, EditFigures]:
    """Do all edits, and have several networks read what came of them.

    Args:
        codes: one an image.
        asked: the edits.
        images_of: codes to images, any number of them.
        readers: by name.
        ranges: of attributes.
    """
    own = images_of(codes)
    before = {name: read(own) for name, read in readers.items()}
    after: dict[str, list[Floats]] = {name: [] for name in readers}
    for edit in asked:
        images = images_of(edited(codes, edit))
        for name, read in readers.items():
            after[name].append(read(images))
    return {name: edit_figures(asked, before[name], after[name], ranges) for name in readers}
