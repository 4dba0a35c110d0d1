"""`relatent-export directions fit`: find directions by a finder, measure them, and put them into a pack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from relatent.core.attributes import Attribute
from relatent.core.directions import Direction
from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import Space
from relatent_export.analysis.pictures import read_picture
from relatent_export.directions.controls import Floats, measure_controls, measure_ranges, reader_of
from relatent_export.directions.finders.finder import Finder, FinderInput, FoundDirection, Need
from relatent_export.directions.labels import Labelled, read_by_hand, read_by_network
from relatent_export.directions.measuring import Ruler
from relatent_export.directions.plots import save_plot
from relatent_export.directions.points import draw_points
from relatent_export.directions.previews import save_preview
from relatent_export.directions.wanted import SEED, Wanted
from relatent_export.nets.networks import Networks, encode
from relatent_export.nets.pixels import to_float
from relatent_export.packs.directions import put_directions
from relatent_export.packs.fit_checks import FitTask, check_asked
from relatent_export.packs.moves import move_file, move_graph
from relatent_export.packs.styles import with_styles
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
    pack = read_pack(folder)
    asked = check_asked(folder, wanted, pack)
    networks = load_networks(folder, pack.compare_size)
    attributes = measure_ranges(networks, pack.attributes) if pack.attributes else ()
    found = [_stated(each, asked, wanted, pack) for each in _find(networks, attributes, pack, asked, wanted)]
    told = {each.direction.name for each in found if each.tells_range}
    ruler = ruler_of(networks, attributes, asked.space) if attributes else None
    bar = progress(found, "measuring", unit="direction", leave=False)
    found = [replace(each, direction=_measured(each, asked.finder, ruler)) for each in bar]
    for each in found if wanted.previews else []:
        assert wanted.previews is not None
        path = wanted.previews / f"{each.direction.name}.png"
        as_told = each.direction.name in told
        save_preview(each.direction, networks.generator, path, each.move, as_told=as_told)
        if ruler is not None and each.direction.calibration:
            save_plot(each.direction, replace(ruler, move=each.move), path.with_suffix(".plot.png"))
    entries = {"spaces": with_styles(folder, networks)} if asked.space is Space.STYLE else {}
    put_directions(folder, [each.direction for each in found], _graphs(found), entries)
    return [each.direction for each in found]


def _find(
    networks: Networks, attributes: tuple[Attribute, ...], pack: Pack, asked: FitTask, wanted: Wanted
) -> list[FoundDirection]:
    finder, controls, labelled = asked.finder, pack.controls, None
    if finder.need is Need.CONTROLS and controls is None:
        # The pack stays without: with controls it would want graphs that nobody has exported.
        controls = measure_controls(networks, attributes).controls
    if finder.need is Need.LABELS:
        labelled = _labelled(networks, attributes, asked, wanted)
    given = FinderInput(
        networks=networks,
        space=asked.space,
        layers=asked.layers,
        count=wanted.count,
        seed=wanted.seed,
        samples=asked.samples,
        attributes=attributes,
        controls=controls,
        labelled=labelled,
        code=None if wanted.image is None else _code(networks, wanted.image),
        text=pack.text,
        prompt=wanted.prompt,
        neutral=wanted.neutral or ("" if pack.text is None else pack.text.neutral),
        beta=wanted.beta,
        work=wanted.work,
    )
    return [each if isinstance(each, FoundDirection) else FoundDirection(each) for each in finder.find(given)]


def _stated(found: FoundDirection, asked: FitTask, wanted: Wanted, pack: Pack) -> FoundDirection:
    """With what is known of where the direction comes from."""
    drawn = asked.finder.samples > 0 and wanted.labels is None
    direction = replace(
        found.direction,
        licence=pack.licence,
        source=asked.finder.source,
        method=wanted.method,
        seed=wanted.seed if drawn else None,
        samples=found.direction.samples or asked.samples or None,
    )
    return replace(found, direction=direction)


def _measured(found: FoundDirection, finder: Finder, ruler: Ruler | None) -> Direction:
    """With what it moves and leaks, and with strengths as its finder told, as measured, or as published."""
    told = found.direction
    if ruler is None:
        if found.tells_range:
            return told
        return replace(told, min_strength=-finder.reach, max_strength=finder.reach)
    return replace(ruler, move=found.move).measured(told)


def _graphs(found: list[FoundDirection]) -> dict[str, bytes]:
    """The files of learned directions' networks."""
    graphs = {}
    for each in found:
        if each.network is not None:
            graphs[move_file(each.direction.name)] = move_graph(each.network, each.direction.vector.shape)
    return graphs


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
    networks: Networks, attributes: tuple[Attribute, ...], asked: FitTask, wanted: Wanted
) -> Labelled:
    if wanted.labels is not None:
        return read_by_hand(wanted.labels, networks.generator, asked.space, wanted.truncation)
    read = reader_of(networks, asked.space)
    return read_by_network(networks, read, attributes, asked.space, asked.samples, wanted.seed, wanted.work)


def ruler_of(networks: Networks, attributes: tuple[Attribute, ...], space: Space) -> Ruler:
    """What measures directions of a space, by a pack's own network.

    Raises:
        ValueError: it has none.
    """
    plain = Space.W if space is Space.W_PLUS else space  # genuine codes, not mixed ones
    points = draw_points(networks.generator, plain, MEASURED_ON, SEED)
    return Ruler(attributes, reader_of(networks, space), points)
