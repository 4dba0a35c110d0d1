"""`relatent models` and `relatent directions`: what a service has."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from relatent.cli import arguments, output
from relatent.cli.printing import say
from relatent.core.spaces import Space


def add_parsers(commands: Any) -> None:
    """Add both commands."""
    models: argparse.ArgumentParser = commands.add_parser(
        "models", help="list the packs of a service", description="List the packs of a service."
    )
    models.set_defaults(run=run_models)
    directions: argparse.ArgumentParser = commands.add_parser(
        "directions", help="list a pack's edit directions", description="List a pack's edit directions."
    )
    arguments.add_pack(directions)
    directions.set_defaults(run=run_directions)
    for parser in (models, directions):
        arguments.add_connection(parser, timeout=10.0)
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
            "-" if each.space is Space.Z else f"{each.first_layer}-{each.last_layer}",
            f"{each.min_strength:g} to {each.max_strength:g}",
            f"{each.calibration:+.3f}" if each.calibration else "not measured",
            each.licence or "-",
        )
        for each in pack.directions
    ]
    header = ("DIRECTION", "ATTRIBUTE", "SPACE", "LAYERS", "STRENGTHS", "ATTRIBUTE PER UNIT", "LICENCE")
    say(output.table(header, rows))
    return 0
