"""`relatent-export directions fit`: find directions by a finder, measure them, and put them into a pack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from relatent.core.attributes import Attribute
from relatent.core.controls import Controls
from relatent.core.directions import Direction
from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import Space
from relatent_export.analysis.pictures import read_picture
from relatent_export.directions.controls import Floats, measure_controls, measure_ranges, reader_of
from relatent_export.directions.finders.finder import Finder, FinderInput, Need
from relatent_export.directions.finders.registry import FINDERS
from relatent_export.directions.labels import (
    Labelled,
    codes_of,
    draw_points,
    read_by_hand,
    read_by_network,
)
from relatent_export.directions.measuring import Ruler
from relatent_export.directions.previews import save_preview
from relatent_export.directions.wanted import SEED, Wanted
from relatent_export.nets.networks import Networks, encode
from relatent_export.nets.pixels import to_float
from relatent_export.packs.directions import put_directions
from relatent_export.packs.weights import load_networks
from relatent_export.progress import progress

MEASURED_ON = 32
"""Samples that directions are measured on."""


def fit_into(folder: Path, wanted: Wanted) -> list[Direction]:
    """Find directions and put them into a pack, in place of those of the same names.

    Returns:
        What was found, measured where the pack has attributes.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: there is no such finder, or it cannot do what is asked of this pack; names the option.
        OSError: a file cannot be read or written; names it.
    """
    pack, finder = read_pack(folder), _finder(wanted.method)
    space = _space(wanted, finder)
    layers = _layers(wanted, finder, space, pack)
    _check_numbers(wanted, finder)
    _check_needs(folder, wanted, finder, pack)
    samples = finder.samples if wanted.samples is None else wanted.samples
    networks = load_networks(folder, pack.compare_size)
    attributes, controls = _measured(networks, pack, finder)
    labelled = None
    if finder.need is Need.LABELS:
        labelled = _labelled(networks, attributes, space, samples, wanted)
    given = FinderInput(
        networks=networks,
        space=space,
        layers=layers,
        count=wanted.count,
        seed=wanted.seed,
        samples=samples,
        attributes=attributes,
        controls=controls,
        labelled=labelled,
        code=None if wanted.image is None else _code(networks, wanted.image),
        work=wanted.work,
    )
    drawn = finder.samples > 0 and wanted.labels is None
    as_found = finder.find(given)
    told = {each.name for each in as_found if each.min_strength < each.max_strength}
    found = [
        replace(
            each,
            licence=pack.licence,
            source=finder.source,
            method=wanted.method,
            seed=wanted.seed if drawn else None,
            samples=each.samples or samples or None,
        )
        for each in as_found
    ]
    ruler = ruler_of(networks, attributes, space) if attributes else None
    found = [
        each if each.name in told else _ranged(each, finder, ruler)
        for each in progress(found, "measuring", unit="direction", leave=False)
    ]
    for direction in found if wanted.previews else []:
        assert wanted.previews is not None
        path = wanted.previews / f"{direction.name}.png"
        save_preview(direction, networks.generator, path, as_told=direction.name in told)
    put_directions(folder, found)
    return found


def _ranged(direction: Direction, finder: Finder, ruler: Ruler | None) -> Direction:
    """With what strengths make sense: as measured, or as published where nothing can be."""
    reaching = replace(direction, min_strength=-finder.reach, max_strength=finder.reach)
    return reaching if ruler is None else ruler.measured(reaching)


def _finder(name: str) -> Finder:
    if name not in FINDERS:
        raise ValueError(f"--method: expected one of {', '.join(FINDERS)}, got {name!r}")
    return FINDERS[name]


def _space(wanted: Wanted, finder: Finder) -> Space:
    space = wanted.space or finder.spaces[0]
    if space not in finder.spaces:
        known = ", ".join(finder.spaces)
        raise ValueError(f"--space: expected one of {known} for {wanted.method}, got {space}")
    return space


def _layers(wanted: Wanted, finder: Finder, space: Space, pack: Pack) -> range:
    if wanted.layers is None:
        return range(pack.layers)
    if space is Space.Z or finder.need is Need.CONTROLS:
        raise ValueError(f"--layers: expected none for {wanted.method} in {space}")
    first, last = wanted.layers
    if not 0 <= first <= last < pack.layers:
        raise ValueError(f"--layers: expected some of 0-{pack.layers - 1}, got {first}-{last}")
    return range(first, last + 1)


def _check_numbers(wanted: Wanted, finder: Finder) -> None:
    if wanted.count < 1:
        raise ValueError(f"--count: expected 1 or more, got {wanted.count}")
    if not 0 <= wanted.seed < 2**32:
        raise ValueError(f"--seed: expected 0 to {2**32 - 1}, got {wanted.seed}")
    if wanted.samples is None:
        return
    if not finder.samples or wanted.labels is not None:
        which = wanted.method if wanted.labels is None else "--labels"
        raise ValueError(f"--samples: expected none for {which}, which draws none")
    if wanted.samples < 1:
        raise ValueError(f"--samples: expected 1 or more, got {wanted.samples}")


def _check_needs(folder: Path, wanted: Wanted, finder: Finder, pack: Pack) -> None:
    needless = [name for name, each in FINDERS.items() if each.need in (Need.NOTHING, Need.IMAGE)]
    without = ", ".join(needless)
    if finder.need is Need.LABELS and wanted.labels is None and not pack.attributes:
        raise ValueError(
            f"{folder}: expected --labels, or a pack that has an attribute network; "
            f"without either there are {without}"
        )
    if finder.need is Need.CONTROLS and not pack.attributes:
        raise ValueError(
            f"{folder}: expected a pack that has an attribute network; without one there are {without}, "
            "and boundary with --labels"
        )
    if wanted.labels is not None and finder.need is not Need.LABELS:
        raise ValueError(f"--labels: expected none for {wanted.method}, which takes no labels")
    if wanted.image is not None and finder.need is not Need.IMAGE:
        raise ValueError(f"--image: expected none for {wanted.method}, which is of no image")


def _measured(
    networks: Networks, pack: Pack, finder: Finder
) -> tuple[tuple[Attribute, ...], Controls | None]:
    """The pack's attributes with ranges, and how they answer to codes where that is known or needed.

    The pack stays without what it lacks: with controls it would want graphs that nobody has exported.
    """
    if not pack.attributes:
        return (), None
    if finder.need is Need.CONTROLS and pack.controls is None:
        found = measure_controls(networks, pack.attributes)
        return found.attributes, found.controls
    return measure_ranges(networks, pack.attributes), pack.controls


def _code(networks: Networks, image: Path) -> Floats:
    """The encoder's code of a picture, [L, D]."""
    if networks.encoder is None:
        raise ValueError("--image: expected a pack that has an encoder")
    generator = networks.generator
    pixels = torch.from_numpy(read_picture(image, generator.config.resolution)[None])
    with torch.no_grad():
        code: Floats = encode(networks.encoder, generator.synthesis, to_float(pixels))[0].numpy()
    return code


def _labelled(
    networks: Networks, attributes: tuple[Attribute, ...], space: Space, samples: int, wanted: Wanted
) -> Labelled:
    if wanted.labels is not None:
        return read_by_hand(wanted.labels, networks.generator, space, wanted.truncation)
    read = reader_of(networks)
    return read_by_network(networks, read, attributes, space, samples, wanted.seed, wanted.work)


def ruler_of(networks: Networks, attributes: tuple[Attribute, ...], space: Space) -> Ruler:
    """What measures directions of a space, by a pack's own network.

    Raises:
        ValueError: it has none.
    """
    generator, read = networks.generator, reader_of(networks)
    codes = codes_of(generator, space)
    plain = Space.W if space is Space.W_PLUS else space  # genuine codes, not mixed ones
    points = draw_points(generator, plain, MEASURED_ON, SEED)
    return Ruler(attributes, lambda moved: read(codes(moved)), points)
