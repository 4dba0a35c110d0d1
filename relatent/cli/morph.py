"""`relatent morph`: the way from one image to another."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from PIL import Image

from relatent.cli import arguments, output, sheets
from relatent.cli.batch import work_through
from relatent.cli.inputs import Item, prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.blocking import Client
from relatent.client.images import save_image, writable_format
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.requests import Interpolate
from relatent.client.resuming import ProgressCallback


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "morph",
        help="go from one image or code to another",
        description="Go from one image or saved code to another: a strip, or an animated GIF.",
        epilog="relatent morph a.png b.safetensors --frames 12 -o morph.gif",
    )
    parser.add_argument("first", type=Path, metavar="A")
    parser.add_argument("last", type=Path, metavar="B")
    parser.add_argument("--frames", type=_frames, default=8, help="at least 2 (default: 8)")
    parser.add_argument("--seconds", type=arguments.positive, default=1.5, help="of a GIF, one way")
    parser.add_argument("-o", "--out", type=Path, default=Path("out/morph.png"), help="default: %(default)s")
    arguments.add_pack(parser)
    arguments.add_inversion(parser)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Invert what is an image, interpolate, and write the picture."""
    writable_format(args.out)  # before any work is done
    refuse_overwriting([args.first, args.last, *arguments.inversion_files(args)], [args.out])
    with arguments.client(args) as client:
        prepare_out(args.out.parent)
        first, last = _codes(client, args)
        frames = _interpolate(client, first, last, args.frames)
    if args.out.suffix.lower() == ".gif":
        sheets.animation(frames, args.out, args.seconds)
    else:
        save_image(sheets.strip(frames), args.out)
    if args.json:
        output.print_json({"output": args.out, "frames": len(frames)})
    else:
        ends = f"from {one_line(args.first)} to {one_line(args.last)}"
        say(f"{len(frames)} frames {ends}: {one_line(args.out)}")
    return 0


def _codes(client: Client, args: argparse.Namespace) -> list[LatentCode]:
    options = arguments.invert_options(args)

    def code(item: Item, progress: ProgressCallback) -> LatentCode:
        if item.path.suffix.lower() == SUFFIX:
            return LatentCode.load(item.path)
        return client.invert(item.path, progress=progress, **options).latent

    items = [Item(path, path.name) for path in (args.first, args.last)]
    outcomes = work_through(items, code, title="inverting", jobs=2, client=client)
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [outcome.value for outcome in outcomes if outcome.value is not None]


def _interpolate(client: Client, first: LatentCode, last: LatentCode, count: int) -> list[Image.Image]:
    amounts = arguments.spread(0.0, 1.0, count)
    at_a_time = client.catalog().limits.max_images
    frames: list[Image.Image] = []
    for start in output.progress(range(0, count, at_a_time), "interpolating"):
        edit = client.edit(first, [Interpolate(last, amounts[start : start + at_a_time])])
        frames += [edited.image.image for edited in edit.images]
    return frames


def _frames(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 2, got {text!r}")
    return int(text)
