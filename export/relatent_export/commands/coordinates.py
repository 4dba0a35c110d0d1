"""The command that gives a pack coordinates to refine in."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it."""
    command = commands.add_parser(
        "coordinates",
        help="give a pack coordinates in which refinement takes fewer steps",
        description="Measure on samples of a pack's generator along which directions of a code its loss is "
        "steep, choose step sizes, and put both into the pack, in place of those before. Export its graphs "
        "anew afterwards.",
    )
    command.add_argument("pack", type=Path, help="the pack's folder")
    command.add_argument(
        "--rank", type=int, metavar="N", help="directions (default: 512, or a code's numbers if fewer)"
    )
    command.add_argument(
        "--probes", type=int, default=8_192, metavar="N", help="products of Jacobians (default: %(default)s)"
    )
    command.add_argument("--seed", type=int, default=0, help="of samples and probes (default: %(default)s)")
    command.add_argument(
        "--budget",
        type=float,
        metavar="MINUTES",
        help="that all of it may take: fewer probes, if need be (default: as long as it takes)",
    )
    command.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="keep what is measured, for a run that goes on after another",
    )


def run(options: argparse.Namespace) -> Iterator[str]:
    """Do it; yields what to say of it.

    Raises:
        PackError, ValueError: it cannot be done.
        OSError: a file cannot be read or written; names it.
    """
    from relatent_export.packs.coordinates import CoordinatesWanted, set_coordinates

    wanted = CoordinatesWanted(options.rank, options.probes, options.seed, options.budget, options.work)
    found, pack = set_coordinates(options.pack, wanted), options.pack
    if found.probes < wanted.probes:
        yield f"{pack}: the budget ended measuring after {found.probes} of {wanted.probes} probes"
    rates = ", ".join(f"{rate:g} from the {start}" for start, rate in found.rates.items())
    yield (
        f"{pack}: {found.rank} directions of {found.probes} probes, {found.within:.1%} of the curvature, "
        f"step sizes {rates}"
    )
    yield f"{pack}: its graphs are to be exported anew: relatent-export repository {pack}"
    yield f"{pack}: a service that has it must be started again"
