"""The command that tells what a generator misses."""

from __future__ import annotations

import argparse
from pathlib import Path

from relatent_export.attributes.options import FILE


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add it."""
    group = commands.add_parser("analyze", help="analyze what a pack's generator makes")
    misses = group.add_subparsers(dest="action", required=True).add_parser(
        "misses",
        help="tell what a generator misses of real images",
        description="Compare a generator's samples with real images, by the pack's attributes or the areas "
        "of a segmenter's classes, and name what the generator leaves out (docs/uses.md): a table, and JSON "
        "and a plot if asked for.",
    )
    misses.add_argument("pack", type=Path, help="the pack's folder")
    misses.add_argument("--images", type=Path, required=True, metavar="FOLDER", help="of real images")
    misses.add_argument(
        "--segmenter",
        type=Path,
        metavar="FILE",
        help=f"{FILE}, that tells what each pixel shows (default: the pack's attributes)",
    )
    misses.add_argument(
        "--samples",
        type=int,
        metavar="N",
        help="of the generator (default: as many as there are images, 1000 at least)",
    )
    misses.add_argument(
        "--truncation", type=float, default=1.0, help="of the samples (default: %(default)s, which is none)"
    )
    misses.add_argument("--seed", type=int, default=0, help="of the samples (default: %(default)s)")
    misses.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    misses.add_argument("--plot", type=Path, metavar="FILE", help="draw where both lie, as PNG")


def run(options: argparse.Namespace) -> str:
    """Do it; returns the table.

    Raises:
        PackError, ValueError: it cannot be done.
        OSError: a file cannot be read or written; names it.
    """
    from relatent.core.pack import read_pack
    from relatent_export.analysis.comparing import Comparison, compare
    from relatent_export.analysis.misses_plot import save_plot
    from relatent_export.analysis.misses_report import table, write_json
    from relatent_export.packs.weights import load_networks

    asked = Comparison(options.images, options.segmenter, options.samples, options.truncation, options.seed)
    pack = read_pack(options.pack)
    misses = compare(pack, load_networks(options.pack, pack.compare_size), asked)
    if options.json is not None:
        write_json(misses, pack, asked, options.json)
    if options.plot is not None:
        save_plot(misses, options.plot)
    return table(misses)
