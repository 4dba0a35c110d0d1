"""A checkpoint's tensors by their published names, taken one by one until none is left."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile


class NamedTensors:
    """Tensors to be taken by name, so that at the end none was missed.

    Args:
        tensors: by published name.
        what: what they are, for errors; begins with the file.
    """

    def __init__(self, tensors: Mapping[str, Tensor], what: str) -> None:
        self._tensors, self._what = dict(tensors), what

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a tensor that stays.

        Raises:
            DamagedFile: there is none of that name.
        """
        if name not in self._tensors:
            raise DamagedFile(f"{self._what}: expected a tensor {name!r}, found none")
        return tuple(self._tensors[name].shape)

    def take(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Take a tensor as float32 of a shape; it may come with axes of length 1 more or fewer.

        Raises:
            DamagedFile: there is none of that name, or it has other numbers.
        """
        found = self.shape(name)
        if [size for size in found if size != 1] != [size for size in shape if size != 1]:
            raise DamagedFile(f"{self._what}: {name}: expected shape {list(shape)}, got {list(found)}")
        return finite(self._tensors.pop(name).to(torch.float32), f"{self._what}: {name}").reshape(shape)

    def drop(self, pattern: str) -> dict[str, Tensor]:
        """Take everything whose whole name matches a pattern: constants that follow from the family."""
        names = [name for name in self._tensors if re.fullmatch(pattern, name)]
        return {name: self._tensors.pop(name) for name in names}

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            DamagedFile: something is, which nobody knows what to do with.
        """
        if self._tensors:
            names = sorted(self._tensors)
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise DamagedFile(f"{self._what}: unknown tensor {names[0]!r}{more}")


def finite(tensor: Tensor, what: str) -> Tensor:
    """A tensor whose numbers are all numbers.

    Raises:
        DamagedFile: one is infinite, or not a number.
    """
    if not bool(torch.isfinite(tensor).all()):
        raise DamagedFile(f"{what}: expected finite numbers, got others among them")
    return tensor


def check_to_rgb(bias: tuple[int, ...], what: str) -> None:
    """Check that a generator draws in colour.

    Args:
        bias: shape of the bias of a layer to RGB.
        what: what it is of, for errors; begins with the file.

    Raises:
        UnsupportedFile: it does not have three channels.
    """
    count = math.prod(bias)
    if count != 3:
        told = {1: "one colour channel", 2: "two colour channels", 4: "four colour channels"}
        raise UnsupportedFile(f"{what}: {told.get(count, f'{count} colour channels')}; three are needed")


def refuse_classes(named: NamedTensors, what: str) -> None:
    """Refuse a class-conditional generator.

    Raises:
        UnsupportedFile: it is one.
    """
    for name in ("mapping.label_weight", "mapping.LabelEmbed.weight"):
        if name in named:
            raise UnsupportedFile(
                f"{what}: {name}: a class-conditional generator, and a pack has no classes; train or convert "
                "it without labels"
            )
