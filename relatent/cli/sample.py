"""`relatent sample`: random images and their codes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from relatent.cli import arguments, operations, output
from relatent.latents import SUFFIX
from relatent.results import SynthesizedImage


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
    """Make the images and write them, each with its code."""
    moves = operations.z_moves(args)
    images: list[SynthesizedImage] = []
    with arguments.client(args) as client:
        at_a_time = client.catalog().limits.max_images
        for first in output.progress(range(0, len(args.seeds), at_a_time), "sampling"):
            images += client.sample(
                args.seeds[first : first + at_a_time],
                moves=moves,
                truncation=args.truncation,
                pack=args.pack,
                output_format=args.format,
            )
    args.out.mkdir(parents=True, exist_ok=True)
    results = [_write(seed, image, args) for seed, image in zip(args.seeds, images, strict=True)]
    if args.json:
        output.print_json({"results": results})
    else:
        print(f"{len(results)} images and their codes are in {args.out}/")
    return 0


def _write(seed: int, sampled: SynthesizedImage, args: argparse.Namespace) -> dict[str, Any]:
    image: Path = args.out / f"seed-{seed:04d}.{args.format}"
    sampled.image.save(image)
    sampled.latent.save(image.with_suffix(SUFFIX))
    return {"seed": seed, "image": str(image), "latent": str(image.with_suffix(SUFFIX))}


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
