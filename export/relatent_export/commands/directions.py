"""The command that finds directions."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from relatent.core.directions import Direction
from relatent.core.pack import read_pack
from relatent.core.spaces import OF_DIRECTIONS, Space
from relatent_export.directions.wanted import COUNT, SEED, Wanted


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it."""
    group = commands.add_parser("directions", help="find edit directions")
    fit = group.add_subparsers(dest="action", required=True).add_parser(
        "fit",
        help="find directions by a method of the literature, and put them into a pack",
        description="Find directions, measure what they do where the pack has an attribute network, and put "
        "them into the pack in place of those of the same names (docs/directions.md).",
    )
    fit.add_argument("pack", type=Path, help="the pack's folder")
    fit.add_argument("--method", required=True, metavar="FINDER", help="boundary, jacobian, pca, …")
    fit.add_argument("--space", choices=[str(each) for each in OF_DIRECTIONS], help="to find them in")
    fit.add_argument("--layers", type=_layers, metavar="FIRST-LAST", help="to move (default: all)")
    fit.add_argument(
        "--count",
        type=int,
        default=COUNT,
        help="how many, of finders that find as many as they are asked for (default: %(default)s)",
    )
    fit.add_argument("--samples", type=int, metavar="N", help="to draw (default: the finder's)")
    fit.add_argument("--seed", type=int, default=SEED, help="of the samples (default: %(default)s)")
    fit.add_argument(
        "--labels",
        type=Path,
        metavar="FILE.csv",
        help="labels of the pictures that relatent sample makes: a column seed, and one a label",
    )
    fit.add_argument(
        "--truncation",
        type=float,
        default=0.7,
        help="of the pictures that --labels is about (default: %(default)s, as relatent sample has it)",
    )
    fit.add_argument("--image", type=Path, metavar="FILE", help="that orthogonal_jacobian's are to be of")
    fit.add_argument("--prompt", default="", metavar="TEXT", help="what text's are to lead to")
    fit.add_argument(
        "--neutral", default="", metavar="TEXT", help="what they start from (default: the pack's)"
    )
    fit.add_argument(
        "--beta",
        type=float,
        metavar="RELEVANCE",
        help="of style channels that count (default: the pack's)",
    )
    fit.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="keep what is read or trained, for a run that goes on after another",
    )
    fit.add_argument(
        "--previews", type=Path, metavar="FOLDER", help="write what each does: pictures and plots"
    )


def run(options: argparse.Namespace) -> Iterator[str]:
    """Do it; yields what to say of what was found.

    Raises:
        PackError, ValueError: it cannot be done.
        OSError: a file cannot be read or written; names it.
    """
    from relatent_export.packs.fitting import fit_into

    wanted = Wanted(
        method=options.method,
        space=Space(options.space) if options.space else None,
        layers=options.layers,
        count=options.count,
        samples=options.samples,
        seed=options.seed,
        labels=options.labels,
        truncation=options.truncation,
        image=options.image,
        work=options.work,
        previews=options.previews,
        prompt=options.prompt,
        neutral=options.neutral,
        beta=options.beta,
    )
    found = fit_into(options.pack, wanted)
    scales = {attribute.name: attribute.scale for attribute in read_pack(options.pack).attributes}
    for direction in found:
        yield _told(direction, scales.get(direction.attribute, 1.0))
    if any(direction.learned or direction.space is Space.STYLE for direction in found):
        yield f"{options.pack}: its graphs are to be exported anew: relatent-export repository {options.pack}"
    yield f"{options.pack}: a service that has it must be started again"


def _told(direction: Direction, scale: float) -> str:
    if not direction.calibration:
        return f"{direction.name}: {_where(direction)}, not measured"
    leak = "" if direction.leak is None else f", leaks {direction.leak:.1f} %"
    return (
        f"{direction.name}: {direction.attribute}, {direction.calibration * scale:+.3g} a unit of strength, "
        f"{direction.min_strength:.3g} to {direction.max_strength:.3g}{leak}"
    )


def _where(direction: Direction) -> str:
    if direction.space in (Space.Z, Space.STYLE):
        return f"of {direction.space.upper()}"
    return f"layers {direction.first_layer}-{direction.last_layer}"


def _layers(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if first.isdecimal() and (last.isdecimal() or not dash):
        return int(first), int(last or first)
    raise argparse.ArgumentTypeError(f"expected layers FIRST-LAST, such as 0-5, got {text!r}")
