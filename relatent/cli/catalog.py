"""`relatent models`, `relatent attributes` and `relatent directions`: what a service has."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from relatent.cli import arguments, output
from relatent.cli.printing import say
from relatent.core.spaces import Space


def add_parsers(commands: Any) -> None:
    """Add the commands."""
    models: argparse.ArgumentParser = commands.add_parser(
        "models", help="list the packs of a service", description="List the packs of a service."
    )
    models.set_defaults(run=run_models)
    directions: argparse.ArgumentParser = commands.add_parser(
        "directions", help="list a pack's edit directions", description="List a pack's edit directions."
    )
    directions.set_defaults(run=run_directions)
    attributes: argparse.ArgumentParser = commands.add_parser(
        "attributes",
        help="list what a pack reads off images, for exact edits",
        description="List what a pack reads off images: what `relatent edit --to` and `--by` take.",
    )
    attributes.set_defaults(run=run_attributes)
    for parser in (attributes, directions):
        arguments.add_pack(parser)
    for parser in (models, attributes, directions):
        arguments.add_connection(parser, timeout=10.0, works=False)
        arguments.add_json(parser)


def run_models(args: argparse.Namespace) -> int:
    """List the packs."""
    with arguments.client(args) as client:
        catalog = client.catalog()
    if args.json:
        packs = [asdict(pack) for pack in catalog.packs.values()]
        output.print_json({"packs": packs, "limits": asdict(catalog.limits)})
        return 0
    rows = [
        (
            pack.name,
            f"{pack.resolution}px",
            f"{pack.layers}x{pack.width}",
            str(len(pack.directions)),
            ", ".join(pack.methods) or "-",
            pack.licence,
            pack.revision[:12],
            pack.description,
        )
        for pack in catalog.packs.values()
    ]
    say(
        output.table(("PACK", "IMAGES", "CODE", "DIRECTIONS", "METHODS", "LICENCE", "REVISION", "WHAT"), rows)
    )
    return 0


def run_attributes(args: argparse.Namespace) -> int:
    """List the attributes."""
    with arguments.client(args) as client:
        pack = client.pack(args.pack)
    if args.json:
        described = {name: asdict(each) for name, each in pack.described.items()}
        output.print_json({"pack": pack.name, "exact_edits": pack.exact_edits, "attributes": described})
        return 0
    rows = [
        (
            name,
            each.label,
            f"{each.low:g} to {each.high:g}" if each.low < each.high else "not measured",
            each.unit or "-",
        )
        for name, each in pack.described.items()
    ]
    say(output.table(("ATTRIBUTE", "WHAT", "RANGE", "UNIT"), rows))
    return 0


def run_directions(args: argparse.Namespace) -> int:
    """List the directions."""
    with arguments.client(args) as client:
        pack = client.pack(args.pack)
    if args.json:
        output.print_json({"pack": pack.name, "directions": [asdict(each) for each in pack.directions]})
        return 0
    rows = [
        (
            each.name,
            each.attribute or "-",
            each.space.value,
            "-" if each.space in (Space.Z, Space.STYLE) else f"{each.first_layer}-{each.last_layer}",
            f"{each.min_strength:g} to {each.max_strength:g}",
            f"{each.calibration:+.3f}" if each.calibration else "not measured",
            "-" if each.leak is None else f"{each.leak:.1f}%",
            each.method or "-",
            each.licence or "-",
        )
        for each in pack.directions
    ]
    about = ("DIRECTION", "ATTRIBUTE", "SPACE", "LAYERS", "STRENGTHS")
    say(output.table((*about, "ATTRIBUTE PER UNIT", "LEAK", "METHOD", "LICENCE"), rows))
    return 0
