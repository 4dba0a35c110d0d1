"""Arguments that say how images are inverted, and what they are made of."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from pathlib import Path
from typing import Any

from relatent.cli import arguments
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.requests import InvertOptions
from relatent.core.fit import Fit
from relatent.core.presets import Preset


def add_inversion(parser: argparse.ArgumentParser, without: Collection[str] = ()) -> None:
    """Add how to invert images.

    Args:
        parser: of the command.
        without: flags that mean nothing to it.
    """
    group = parser.add_argument_group("inversion")

    def add(flag: str, **settings: Any) -> None:
        if flag in without:
            parser.set_defaults(**{flag[2:].replace("-", "_"): None})
        else:
            group.add_argument(flag, **settings)

    add(
        "--method",
        default="",
        metavar="NAME",
        help="the way of inverting (default: the pack's; see relatent models)",
    )
    add(
        "--quality",
        choices=[preset.value for preset in Preset],
        help="instead of a method: fast, balanced or best (see relatent models)",
    )
    add(
        "--restarts",
        type=arguments.whole,
        metavar="N",
        help="refine from so many starts side by side and keep the best (default: 1, at most 8)",
    )
    add(
        "--min-in-domain",
        type=arguments.share,
        metavar="SCORE",
        help="refuse images less plausible than this: 0.01 refuses one genuine image of a hundred",
    )
    add("--prompt", metavar="TEXT", help="what images shall show, for methods that take a text")
    add("--neutral", metavar="TEXT", help="what they show now, told alike (default: the pack's)")
    add("--steps", type=arguments.whole_or_none, metavar="N", help="refinement steps; 0: the encoder alone")
    add(
        "--start",
        metavar=f"encoder|mean|FILE{SUFFIX}",
        help="where refinement starts (default: the encoder, or the mean where the pack has none)",
    )
    add("--learning-rate", type=arguments.positive, metavar="RATE", help="Adam's step size")
    add(
        "--weight",
        type=arguments.weight,
        action="append",
        default=[],
        metavar="TERM=VALUE",
        help="weight of a term of the objective; may be repeated",
    )
    add("--mask", type=Path, metavar="IMAGE", help="white where the image counts")
    add("--target-loss", type=float, metavar="LOSS", help="end when the loss is at most this")
    add(
        "--plateau",
        type=arguments.plateau,
        metavar="STEPS:FRACTION",
        help="end when the loss has fallen by less than this fraction over so many steps",
    )
    add(
        "--time-budget",
        type=arguments.positive,
        metavar="SECONDS",
        help="end after so long, with the best so far",
    )
    add(
        "--no-cache",
        action="store_true",
        help="invert even if the service has inverted the same before, and let it keep nothing",
    )
    add("--fit", choices=[fit.value for fit in Fit], help="what to do with an image that is not square")


def invert_options(args: argparse.Namespace) -> InvertOptions:
    """The options of an inversion that the arguments ask for.

    Raises:
        LatentFileError: the file to start from holds no code.
    """
    options = InvertOptions(pack=args.pack, method=args.method, weights=dict(args.weight))
    match args.start:
        case None:
            pass
        case "encoder" | "mean":
            options["start"] = args.start
        case path:
            options["start"] = LatentCode.load(path)
    if args.quality is not None:
        options["quality"] = args.quality
    if args.restarts is not None:
        options["restarts"] = args.restarts
    if args.min_in_domain is not None:
        options["min_in_domain"] = args.min_in_domain
    if args.prompt is not None:
        options["text"] = args.prompt
        if args.neutral is not None:
            options["neutral"] = args.neutral
    if args.steps is not None:
        options["steps"] = args.steps
    if args.learning_rate is not None:
        options["learning_rate"] = args.learning_rate
    if args.mask is not None:
        options["mask"] = args.mask
    if args.target_loss is not None:
        options["target_loss"] = args.target_loss
    if args.plateau is not None:
        options["plateau"] = args.plateau
    if args.time_budget is not None:
        options["time_budget"] = args.time_budget
    if args.no_cache:
        options["no_cache"] = True
    if args.fit is not None:
        options["fit"] = args.fit
    return options


def inversion_files(args: argparse.Namespace) -> list[Path]:
    """The files that the inversion's arguments name, beside the images."""
    start = [] if args.start in (None, "encoder", "mean") else [Path(args.start)]
    return start if args.mask is None else [*start, args.mask]
