"""Segmenters of somebody else's: any ONNX network that tells what each pixel shows tells areas of classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relatent.core.attributes import Attribute
from relatent_export.analysis.refining import Bytes
from relatent_export.attributes.adapting import adapt
from relatent_export.attributes.description import read_networks
from relatent_export.attributes.graphs import IMAGE, READINGS
from relatent_export.attributes.network import TakenAttribute
from relatent_export.attributes.trying import REFUSALS, UnusableNetwork, first_line, open_session

Areas = NDArray[np.float64]

_MOST = 256
"""Classes of a map whose network names none."""
_TRIED = 3
_NEAR = 0.01
"""Share of an image's pixels whose class may depend on what else is in its batch: rounding."""


class Segmenter:
    """A network that reads areas of classes, in percent of an image.

    Its output is a class map, [B, H, W] or with an axis of one number, or scores of classes, [B, C, H, W] or
    [B, H, W, C], of which each pixel's largest counts. H is W, which tells the two apart; where C is as
    large, it is taken to come first.

    Args:
        file: the graph, or its description in TOML (`relatent_export.attributes.description`); `names` are
            the classes', `[[attributes]]` those to look at.
        images: some to try it on, uint8 [B, R, R, 3], B at least 2.

    Raises:
        UnusableNetwork: it does not run on them, alone and in batches alike, or answers no classes; names the
            file.
        ValueError: it is no ONNX graph, or not as it is described; names the file, or the description and the
            key.
        OSError: the file cannot be read; names it.
    """

    def __init__(self, file: Path, images: Bytes) -> None:
        (self._network,) = read_networks([file])
        model = adapt(self._network, images.shape[1], flat=False)
        try:
            self._session = open_session(model)
        except REFUSALS as error:
            raise UnusableNetwork(f"{self._network.file}: it does not run: {first_line(error)}") from error
        self._taken: tuple[TakenAttribute, ...] = ()
        self._try(images[:_TRIED])

    @property
    def classes(self) -> tuple[Attribute, ...]:
        """What it reads, in the order of its areas."""
        return tuple(each.attribute for each in self._taken)

    def read(self, images: Bytes) -> Areas:
        """Areas of classes, in percent, [B, K], in images uint8 [B, R, R, 3].

        Raises:
            UnusableNetwork: it answers no classes; names the file.
        """
        areas = self._areas(images)
        return 100 * areas[:, [each.index for each in self._taken]]

    def _try(self, images: Bytes) -> None:
        """Learn how many classes there are, and that a batch does not change what is read of an image."""
        alone = np.concatenate([self._areas(image[None]) for image in images])
        self._taken = self._network.attributes_of(alone.shape[1])
        try:
            together = self._areas(images)
        except UnusableNetwork as error:
            raise UnusableNetwork(
                f"{self._network.file}: expected a network that takes several images at once, got one that "
                f"is made for one: {error}"
            ) from error
        if together.shape != alone.shape or np.abs(together - alone).max() > _NEAR:
            raise UnusableNetwork(
                f"{self._network.file}: expected answers that do not depend on what else is in a batch, got "
                "others"
            )

    def _areas(self, images: Bytes) -> Areas:
        """Shares of all classes [B, C], which add up to 1."""
        try:
            answer = self._session.run([READINGS], {IMAGE: images})[0]
        except REFUSALS as error:
            raise UnusableNetwork(f"{self._network.file}: it does not run: {first_line(error)}") from error
        if len(answer) != len(images):
            raise self._no_classes(list(answer.shape))
        classes, count = self._classes(answer)
        rows = classes.reshape(len(images), -1)
        return np.stack([np.bincount(row, minlength=count) for row in rows]) / rows.shape[1]

    def _classes(self, answer: NDArray[np.float32]) -> tuple[NDArray[np.int64], int]:
        """The class of each pixel, and how many classes there may be."""
        shape = answer.shape
        if not np.isfinite(answer).all():
            raise UnusableNetwork(f"{self._network.file}: expected finite numbers, got others")
        if len(shape) == 4 and 1 not in (shape[1], shape[3]):
            axes = [axis for axis, sides in ((1, shape[2:]), (3, shape[1:3])) if sides[0] == sides[1]]
            if not axes:
                raise self._no_classes(list(shape))
            return answer.argmax(axes[0]), shape[axes[0]]
        if len(shape) not in (3, 4) or min(shape[-3:]) < 1:
            raise self._no_classes(list(shape))
        count = len(self._network.names) or _MOST
        if (answer != answer.round()).any() or answer.min() < 0 or answer.max() >= count:
            odd = answer[(answer != answer.round()) | (answer < 0) | (answer >= count)][0]
            raise UnusableNetwork(
                f"{self._network.file}: expected a map of classes, whole numbers from 0 to {count - 1}, got "
                f"{odd:g}"
            )
        return answer.astype(np.int64), count

    def _no_classes(self, shape: list[int]) -> UnusableNetwork:
        return UnusableNetwork(
            f"{self._network.file}: expected a class for each pixel, [B, H, W], or scores of classes, "
            f"[B, C, H, W] or [B, H, W, C], got {shape}"
        )
