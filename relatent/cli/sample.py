"""`relatent sample`: random images and their codes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from relatent.cli import arguments, operations, output
from relatent.cli.inputs import prepare_out
from relatent.cli.printing import one_line, say, told
from relatent.client.errors import RelatentError
from relatent.client.latents import SUFFIX
from relatent.client.results import SynthesizedImage


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "sample",
        help="make random images",
        description="Make random images. A seed's image is the same on every server of a pack's revision.",
    )
    parser.add_argument(
        "--seeds",
        type=_seeds,
        default=list(range(8)),
        metavar="N,M,FIRST-LAST",
        help="one image each (default: 0-7)",
    )
    parser.add_argument(
        "--truncation", type=float, metavar="PSI", help="1: the full variety, 0: the mean (default: 0.7)"
    )
    operations.add_z_moves(parser)
    arguments.add_out(parser, "out/sample")
    arguments.add_pack(parser)
    arguments.add_connection(parser, timeout=60.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the images and write them, each with its code; 1 where one could not be written."""
    moves = operations.z_moves(args)
    results: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    with arguments.client(args) as client:
        at_a_time = client.catalog().limits.max_images
        prepare_out(args.out)
        for first in output.progress(range(0, len(args.seeds), at_a_time), "sampling"):
            seeds = args.seeds[first : first + at_a_time]
            images = client.sample(
                seeds,
                moves=moves,
                truncation=args.truncation,
                pack=args.pack,
                output_format=args.format,
            )
            for seed, image in zip(seeds, images, strict=True):
                try:
                    results.append(_write(seed, image, args))
                except (RelatentError, OSError) as error:
                    print(f"relatent: {told(error)}", file=sys.stderr)
                    failed.append({"seed": seed, **output.error_document(error)})
    if args.json:
        output.print_json({"results": results, "failed": failed})
    else:
        lost = f", {len(failed)} failed" if failed else ""
        say(f"{len(results)} images and their codes are in {one_line(args.out)}/{lost}")
    return int(bool(failed))


def _write(seed: int, sampled: SynthesizedImage, args: argparse.Namespace) -> dict[str, Any]:
    image: Path = args.out / f"seed-{seed:04d}.{args.format}"
    sampled.image.save(image)
    sampled.latent.save(image.with_suffix(SUFFIX))
    return {"seed": seed, "image": image, "latent": image.with_suffix(SUFFIX)}


def _seeds(text: str) -> list[int]:
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise argparse.ArgumentTypeError(f"expected seeds such as 0-7 or 1,5,9, got {text!r}")
        seeds += range(int(first), int(last or first) + 1)
    if not seeds:
        raise argparse.ArgumentTypeError(f"expected at least one seed, got {text!r}")
    return list(dict.fromkeys(seeds))
