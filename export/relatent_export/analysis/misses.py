"""What a generator misses: where real images lie and its own do not, attribute by attribute.

After Bau et al., "Seeing What a GAN Cannot Generate" (2019), who compare statistics of generated with those
of real images: there the areas of segmented classes, here any numbers that are read off images.

An attribute is *missed* if both hold:

- It is significant: the Fréchet distance of the two sets in this attribute is larger than, in 99 of 100
  times, any attribute's is when all images are dealt to the two sides at random (a permutation test, against
  the largest of all attributes' distances as Westfall and Young, 1993, have it: however many attributes there
  are, where a generator misses nothing, something is called significant once in a hundred times).
- It is large: the generator leaves out at least half of the range of the real images. That range, all but
  the outermost hundredth of them, is cut into twenty equal parts. One in which real images lie is left out
  if samples fall there less than a tenth as often.

Ranges are counted and not images: of something that one face in twenty has, and no sample, most of the range
is left out, whereas nineteen of twenty images have their like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from relatent_export.analysis.frechet import frechet_distance
from relatent_export.analysis.spreads import AttributeSpread, Histogram, Parts

Doubles = NDArray[np.float64]

LEAST_IMAGES = 16
"""Of either side: fewer have no distribution to speak of."""

LARGE = 0.5
"""Share of the real images' range that is left out of what is missed."""

_ROUNDS, _ROUNDS_OF_ALL, _CHUNK = 1_000, 100, 100
_SURE = 99.0
_ROUNDING = 1e-7


@dataclass(frozen=True)
class ComparedAttribute:
    """Generated against real images in one attribute.

    Attributes:
        name: the attribute's.
        real, generated: where they lie.
        left_out: share of the real images' range that the generator leaves out.
        left_out_error: its standard error, by the bootstrap.
        images: share of the real images that lie there.
        gaps: the parts of the range that are left out, joined where they touch: low and high of each.
        distance: the Fréchet distance, in the real images' deviations, squared; 0 where they are all alike.
        chance: what it comes to on average when images are dealt to the sides at random.
        significant: whether it is larger than chance makes any attribute's.
        histogram: both sides' images over the values.
    """

    name: str
    real: AttributeSpread
    generated: AttributeSpread
    left_out: float
    left_out_error: float
    images: float
    gaps: tuple[tuple[float, float], ...]
    distance: float
    chance: float
    significant: bool
    histogram: Histogram

    @property
    def missed(self) -> bool:
        """Whether the generator misses it."""
        return self.significant and self.left_out >= LARGE


@dataclass(frozen=True)
class Misses:
    """Generated against real images.

    Attributes:
        attributes: one by one, in the order that they came in.
        distance: the Fréchet distance in all of them together, each in the real images' deviations.
        chance: what it comes to on average when images are dealt to the sides at random.
        real, generated: how many images of each there were.
    """

    attributes: tuple[ComparedAttribute, ...]
    distance: float
    chance: float
    real: int
    generated: int

    @property
    def missed(self) -> tuple[str, ...]:
        """The names of what the generator misses, the most that is left out first."""
        return tuple(each.name for each in self.ordered if each.missed)

    @property
    def ordered(self) -> tuple[ComparedAttribute, ...]:
        """First what is missed, then what most is left out of, then what lies furthest apart."""
        return tuple(
            sorted(self.attributes, key=lambda each: (not each.missed, -each.left_out, -each.distance))
        )


def find_misses(names: Sequence[str], real: Doubles, generated: Doubles, seed: int = 0) -> Misses:
    """Compare generated with real images.

    Args:
        names: of the attributes, A.
        real: what they read of the real images, [N, A], in any units.
        generated: of the generator's, [M, A].
        seed: of how images are dealt, and of the bootstrap of `left_out_error`.

    Raises:
        ValueError: there are fewer than 16 of either, or a number is not finite.
    """
    for what, values in (("real", real), ("generated", generated)):
        if len(values) < LEAST_IMAGES:
            raise ValueError(f"{what}: expected {LEAST_IMAGES} images or more, got {len(values)}")
        if not np.isfinite(values).all():
            name = names[int(np.flatnonzero(~np.isfinite(values).all(0))[0])]
            raise ValueError(f"{what}: {name}: expected finite numbers of all images, got others")
    random = np.random.default_rng(seed)
    one, other, unit = _comparable(real, generated)
    distances = _distances(_sums(one), len(one), _sums(other), len(other))
    dealt = _by_chance(one, other, random)
    critical = float(np.percentile((dealt * unit).max(1), _SURE))
    attributes = []
    for place, name in enumerate(names):
        parts = Parts.of(real[:, place], generated[:, place])
        compared = ComparedAttribute(
            name=name,
            real=AttributeSpread.of(real[:, place]),
            generated=AttributeSpread.of(generated[:, place]),
            left_out=float(parts.left_out),
            left_out_error=parts.error(random),
            images=float(parts.real[parts.empty].sum() / len(real)),
            gaps=parts.gaps(),
            distance=float(distances[place]),
            chance=float(dealt[:, place].mean()),
            significant=bool(distances[place] * unit[place] > critical),
            histogram=Histogram.of(real[:, place], generated[:, place]),
        )
        attributes.append(compared)
    return Misses(
        attributes=tuple(attributes),
        distance=_distance_of_all(one, other),
        chance=_chance_of_all(one, other, random),
        real=len(real),
        generated=len(generated),
    )


def _comparable(real: Doubles, generated: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Both sides in the real images' deviations; and what makes distances of those in all images' deviations.

    The test needs these: they are the same however images are dealt. Where the real images are all alike, but
    for rounding, both sides are 0.
    """
    deviation = real.std(0)
    varying = deviation > _ROUNDING * np.abs(real).max(0)
    weights = np.where(varying, 1 / np.where(varying, deviation, 1), 0)
    one, other = (real - real.mean(0)) * weights, (generated - real.mean(0)) * weights
    variance = np.concatenate([one, other]).var(0)
    return one, other, np.where(varying, 1 / np.where(varying, variance, 1), 0)


def _sums(values: Doubles) -> Doubles:
    """Sums of columns [N, A] and of their squares, [2, A]."""
    return np.stack([values.sum(0), np.square(values).sum(0)])


def _distances(one: Doubles, ones: int, other: Doubles, others: int) -> Doubles:
    """Fréchet distances of normal distributions of one dimension, [..., A], from sums [..., 2, A]."""
    means, deviations = [], []
    for sums, count in ((one, ones), (other, others)):
        mean, square = np.moveaxis(sums / count, -2, 0)
        means.append(mean)
        deviations.append(np.sqrt(np.maximum(square - np.square(mean), 0)))
    distances: Doubles = np.square(means[0] - means[1]) + np.square(deviations[0] - deviations[1])
    return distances


def _by_chance(one: Doubles, other: Doubles, random: np.random.Generator) -> Doubles:
    """Distances when images are dealt to sides of the same sizes at random, [rounds, A]."""
    images = np.concatenate([one, other])
    values = np.concatenate([images, np.square(images)], axis=1)
    found = []
    for _ in range(0, _ROUNDS, _CHUNK):
        places = random.random((_CHUNK, len(images))).argpartition(len(one), axis=1)[:, : len(one)]
        picked = np.zeros((_CHUNK, len(images)))
        np.put_along_axis(picked, places, 1.0, axis=1)
        sums = (picked @ values).reshape(_CHUNK, 2, -1)
        found.append(_distances(sums, len(one), _sums(images) - sums, len(other)))
    return np.concatenate(found)


def _distance_of_all(one: Doubles, other: Doubles) -> float:
    return frechet_distance(torch.from_numpy(one), torch.from_numpy(other))


def _chance_of_all(one: Doubles, other: Doubles, random: np.random.Generator) -> float:
    images = np.concatenate([one, other])
    dealt = (random.permutation(images) for _ in range(_ROUNDS_OF_ALL))
    return float(np.mean([_distance_of_all(each[: len(one)], each[len(one) :]) for each in dealt]))
