"""`relatent restore`: images that lack something in, whole images and their codes out."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from relatent.cli import arguments, inversion_arguments
from relatent.cli.image_batch import ImageCommand, add_images
from relatent.client.blocking import Client
from relatent.client.restoring import Degraded, Restoration
from relatent.client.resuming import ProgressCallback
from relatent.core.restoration import RestorationPreset

_MEANINGLESS = ("--quality", "--min-in-domain", "--prompt", "--neutral", "--mask", "--no-cache")
"""Flags of inversions that restorations do not have, or have as their own."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "restore",
        help="restore images: colours, resolution, parts that are missing, noise",
        description="Restore images. Each gets a picture of the whole image and NAME.safetensors, its code.",
        epilog="relatent restore damaged.png --preset inpaint --mask known.png --keep-known",
    )
    add_images(parser)
    group = parser.add_argument_group("what images lack")
    group.add_argument(
        "--preset",
        choices=[preset.value for preset in RestorationPreset],
        help="in a word; inpaint goes with --mask",
    )
    group.add_argument(
        "--blur",
        type=arguments.positive,
        metavar="PIXELS",
        help="standard deviation of a Gaussian blur, in pixels of the whole image",
    )
    group.add_argument(
        "--fewer",
        type=times,
        metavar="TIMES|ROWSxCOLUMNS",
        help="how many times fewer rows and columns there are: 4, or 2x4 (default with upscale: as the size "
        "of an image says)",
    )
    group.add_argument(
        "--colour",
        type=matrix,
        metavar="NUMBERS",
        help="nine numbers with commas: what red, green and blue were mixed of (--colour=-1,... where they "
        "begin below 0)",
    )
    group.add_argument("--mask", type=Path, metavar="IMAGE", help="white where images are known")
    group.add_argument(
        "--keep-known", action="store_true", help="put back what is given, as far as it is known"
    )
    arguments.add_out(parser, "out/restore")
    arguments.add_pack(parser)
    inversion_arguments.add_inversion(parser, _MEANINGLESS)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Restore the images; 1 where one of them failed."""
    options = inversion_arguments.invert_options(args)
    options["output_format"] = args.format
    options.pop("mask", None)
    degraded = Degraded(args.blur or 0.0, args.fewer, args.colour, args.mask)

    def make(client: Client, image: Path, progress: ProgressCallback) -> Restoration:
        return client.restore(
            image, args.preset, degraded=degraded, keep_known=args.keep_known, progress=progress, **options
        )

    command = ImageCommand(
        title="restoring",
        make=make,
        latent=lambda restoration: restoration.latent,
        picture=lambda restoration: restoration.image,
        kind="image",
        line=_line,
        document=_document,
    )
    return command.run(args)


def times(text: str) -> int | tuple[int, int]:
    """How many times fewer rows and columns: one number, or `ROWSxCOLUMNS`."""
    rows, by, columns = text.partition("x")
    if not rows.isdecimal() or (by and not columns.isdecimal()):
        raise argparse.ArgumentTypeError(f"expected TIMES or ROWSxCOLUMNS, such as 4 or 2x4, got {text!r}")
    return (int(rows), int(columns)) if by else int(rows)


def matrix(text: str) -> list[list[float]]:
    """Nine numbers, row by row."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 9:
        raise argparse.ArgumentTypeError(f"expected nine numbers with commas, got {text!r}")
    return [numbers[0:3], numbers[3:6], numbers[6:9]]


def _line(restoration: Restoration) -> str:
    resumed = f", resumed {restoration.resumed}x" if restoration.resumed else ""
    return (
        f"matches what was given at {restoration.match.psnr:.1f} dB after {restoration.steps} steps "
        f"({restoration.stop_reason.value}{resumed}), {restoration.timings.total:.1f} s"
    )


def _document(restoration: Restoration) -> dict[str, Any]:
    return {
        "pack": restoration.latent.pack,
        "revision": restoration.latent.revision,
        "method": restoration.method,
        "match": asdict(restoration.match),
        "steps": restoration.steps,
        "stop_reason": restoration.stop_reason.value,
        "resumed": restoration.resumed,
        "timings": asdict(restoration.timings),
        "losses": list(restoration.losses),
    }
