"""Measuring how attributes answer to codes, for exact edits (`relatent.core.controls`)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from relatent.core.attributes import Attribute
from relatent.core.controls import Controls
from relatent.core.spaces import Space
from relatent_export.attributes.trying import synthesis_reader
from relatent_export.directions.differentiating import mean_derivative
from relatent_export.directions.jacobian import least_norm_steps
from relatent_export.directions.points import synthesis_of
from relatent_export.nets.networks import Networks
from relatent_export.progress import progress

Floats = NDArray[np.float32]
Read = Callable[[Floats], Floats]
"""Points of a space [B, ...], such as W+ codes, to readings of their images [B, A]."""

CODES = 32
"""Codes at which derivatives are taken: more change the mean by less than what a step corrects anyway."""

_SEED, _BATCH = 51, 16
_COMPONENTS, _MAPPED = 32, 4_096
"""Directions a layer in which differences are taken, of the most that mapped codes vary in, and how many of
these are looked at."""
_PIXELS, _FEWEST = 2**30, 4
"""Pixels to make for differences, about; and the fewest codes and directions, however many pixels they take.
These pixels are 16,384 images of 256 pixels on a side."""
_STEP = 0.3
"""Of a finite difference, in standard deviations of mapped codes along its direction."""
_RANGED, _LEAST_RANGED = 1_024, 256
"""Samples whose readings tell an attribute's range where nobody says it, and of very large images."""
_TRIED = 8
"""Codes at which steps are tried."""
_SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Of a range, tried to see how far a step along the mean derivative is good."""


@dataclass(frozen=True)
class Measured:
    """What exact edits of a pack need.

    Attributes:
        attributes: with their ranges.
        controls: how they answer to codes.
    """

    attributes: tuple[Attribute, ...]
    controls: Controls


def measure_controls(
    networks: Networks,
    attributes: tuple[Attribute, ...],
    read: Read | None = None,
    codes: int | None = None,
) -> Measured:
    """Measure what exact edits of a pack need.

    Derivatives are taken by autograd where the attribute network is one of PyTorch's, and by finite
    differences of what `read` reads else: central ones, along what mapped codes vary most in. Each takes two
    images, so there are the fewer the larger these are.

    Args:
        networks: the pack's.
        attributes: what their outputs are; ranges that are not known are measured on samples.
        read: reads attributes of codes; by the pack's own network if left out.
        codes: at how many samples' codes; 32 if left out, or what is affordable.

    Raises:
        ValueError: there is nothing to read with, or readings are not finite or all the same.
    """
    reader = read or reader_of(networks)
    affordable = _affordable(networks)
    if codes is None:
        codes = CODES if networks.attributes is not None else _within(math.isqrt(affordable), CODES)
    if codes < 1:
        raise ValueError(f"codes: expected 1 or more, got {codes}")
    samples = _samples(networks, max(codes, _ranged_by(networks)))
    attributes = _ranged(attributes, samples, reader)
    places = samples[:codes]
    if networks.attributes is None:
        count = _within(affordable // codes, _COMPONENTS)
        jacobian = _by_differences(networks, places, reader, count)
    else:
        jacobian = _by_autograd(networks, places)
    reach = _reach(attributes, jacobian, places[:_TRIED], reader)
    return Measured(attributes, Controls(jacobian, reach, codes))


def measure_ranges(networks: Networks, attributes: tuple[Attribute, ...]) -> tuple[Attribute, ...]:
    """A pack's attributes with ranges; those that are not known are measured on samples.

    Raises:
        ValueError: there is nothing to read with, or readings are not finite or all the same.
    """
    if all(attribute.measured for attribute in attributes):
        return attributes
    return _ranged(attributes, _samples(networks, _ranged_by(networks)), reader_of(networks))


def _affordable(networks: Networks) -> int:
    """How many directions differences are taken in, over all codes, each at every layer."""
    config = networks.generator.config
    return _PIXELS // (2 * config.layers * config.resolution**2)


def _within(count: int, most: int) -> int:
    return max(_FEWEST, min(most, count))


def _ranged_by(networks: Networks) -> int:
    """How many samples tell ranges."""
    pixels = networks.generator.config.resolution**2
    return max(_LEAST_RANGED, min(_RANGED, _PIXELS // 4 // pixels))


def _samples(networks: Networks, count: int) -> Floats:
    generator = networks.generator
    z = torch.randn(count, generator.config.z_width, generator=torch.Generator().manual_seed(_SEED))
    with torch.no_grad():
        codes: Floats = torch.cat([generator.codes(each, 1.0) for each in torch.split(z, _BATCH)]).numpy()
    return codes


def reader_of(networks: Networks, space: Space = Space.W_PLUS) -> Read:
    """What reads a pack's attributes off the images of a space's points, with its own network.

    Raises:
        ValueError: it has none.
    """
    synthesis = synthesis_of(networks.generator, space)
    if networks.attribute_graph is not None:
        return synthesis_reader(networks.attribute_graph, synthesis)
    if networks.attributes is None:
        raise ValueError("attributes: expected a pack that has a network to read them with")

    @torch.no_grad()
    def read(points: Floats) -> Floats:
        given = torch.split(torch.from_numpy(points), _BATCH)
        found = [readings_of(networks, synthesis(each)) for each in given]
        readings: Floats = torch.cat(found).numpy()
        return readings

    return read


def readings_of(networks: Networks, images: Tensor) -> Tensor:
    """What a pack's own network of PyTorch's reads off images [B, 3, R, R], [B, A]."""
    assert networks.attributes is not None
    readings: Tensor = networks.attributes(images.clamp(-1, 1))
    return readings


def _ranged(attributes: tuple[Attribute, ...], samples: Floats, read: Read) -> tuple[Attribute, ...]:
    """The same with ranges: all but the outermost hundredth of samples where they are not known."""
    if all(attribute.measured for attribute in attributes):
        return attributes
    readings = _read(samples, read, "measuring ranges")
    ranged = []
    for attribute, column in zip(attributes, readings.T, strict=True):
        if not np.isfinite(column).all():
            raise ValueError(f"attributes: {attribute.name}: expected finite readings of samples, got others")
        low, high = sorted(attribute.value(float(end)) for end in np.percentile(column, [0.5, 99.5]))
        if not low < high:
            raise ValueError(f"attributes: {attribute.name}: reads the same, {low:g}, of all samples")
        ranged.append(attribute if attribute.measured else replace(attribute, low=low, high=high))
    return tuple(ranged)


def _by_autograd(networks: Networks, codes: Floats) -> Floats:
    """The mean over codes of the derivative of readings by the code, [A, L, D]."""

    def outputs(moved: Tensor) -> Tensor:
        return readings_of(networks, networks.generator.synthesis(moved))

    found = mean_derivative(
        outputs, torch.from_numpy(codes), len(networks.attribute_names), "measuring controls"
    )
    return np.asarray(found.numpy(), np.float32)


def _by_differences(networks: Networks, codes: Floats, read: Read, components: int) -> Floats:
    """The same by central differences, within what mapped codes vary most in."""
    mapped = _samples(networks, _MAPPED)[:, 0].astype(np.float64)
    _, spread, directions = np.linalg.svd(mapped - mapped.mean(0), full_matrices=False)
    count = min(components, len(directions))
    steps = _STEP * spread[:count] / np.sqrt(len(mapped))
    layers = codes.shape[1]
    total: Floats | None = None
    for code in progress(codes, "measuring controls", unit="code", leave=False):
        moved = np.repeat(code[None], 2 * count * layers, axis=0).reshape(2, layers, count, *code.shape)
        for layer in range(layers):
            ways = (steps[:, None] * directions[:count]).astype(np.float32)
            moved[0, layer, :, layer] += ways
            moved[1, layer, :, layer] -= ways
        readings = _read(moved.reshape(-1, *code.shape), read).reshape(2, layers, count, -1)
        slopes = (readings[0] - readings[1]) / (2 * steps[None, :, None])
        found = np.einsum("lka,kd->ald", slopes, directions[:count])
        total = found if total is None else total + found
    assert total is not None
    return np.asarray(total / len(codes), np.float32)


def _reach(
    attributes: tuple[Attribute, ...], jacobian: Floats, codes: Floats, read: Read
) -> tuple[float, ...]:
    """Of each attribute the change up to which one step arrives within half of what it was to do."""
    steps = least_norm_steps(attributes, jacobian)
    widths = [attribute.width for attribute in attributes]
    before, reach = _read(codes, read), []
    for place in range(len(attributes)):
        good = _SHARES[0]
        for share in _SHARES:
            came = [
                (_read(codes + np.float32(sign * share) * steps[place].astype(np.float32), read) - before)[
                    :, place
                ]
                / (sign * share * widths[place])
                for sign in (-1, 1)
            ]
            if not 0.5 <= float(np.mean(came)) <= 1.5:
                break
            good = share
        reach.append(good * widths[place])
    return tuple(reach)


def _read(codes: Floats, read: Read, what: str | None = None) -> Floats:
    chunks = np.array_split(codes, max(1, -(-len(codes) // _BATCH)))
    if what is not None:
        chunks = progress(chunks, what, unit="batch", leave=False)
    return np.concatenate([read(np.ascontiguousarray(chunk)) for chunk in chunks])
