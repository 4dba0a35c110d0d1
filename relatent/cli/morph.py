"""`relatent morph`: the way from one image to another, or from one seed to another."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from relatent.cli import arguments, inversion_arguments, output, sheets
from relatent.cli.batch import work_through
from relatent.cli.inputs import Item, prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.blocking import Client
from relatent.client.errors import InputError
from relatent.client.images import save_image, writable_format
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.requests import Interpolate
from relatent.client.resuming import ProgressCallback
from relatent.client.seeds import SeedPath

_OUT = Path("out/morph.png")
_ANIMATED = (".gif", ".webp")
FramesAt = Callable[[Sequence[float]], list[Image.Image]]
"""Makes the images at some amounts of the way."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "morph",
        help="go from one image, code or seed to another",
        description="Go from one image or saved code to another, straight in W+; or, with --seeds, from what "
        "one seed draws to what another does, spherically in Z. Makes a strip or a GIF, an animation, or "
        "numbered frames for a film.",
        epilog="relatent morph a.png b.safetensors --frames 12 -o morph.gif",
    )
    parser.add_argument("ends", nargs="*", type=Path, metavar="A B")
    parser.add_argument("--seeds", type=_seeds, metavar="FIRST,LAST", help="instead of A and B")
    parser.add_argument(
        "--truncation", type=arguments.share, metavar="PSI", help="of seeds' images (default: 0.7)"
    )
    parser.add_argument("--frames", type=_frames, default=8, help="at least 2 (default: 8)")
    parser.add_argument("--seconds", type=arguments.positive, default=1.5, help="of a GIF of -o, one way")
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        help=f"a strip, or a GIF there and back (default: {_OUT}, unless there are others)",
    )
    parser.add_argument("--animate", type=Path, metavar="FILE.webp", help="an animation, as WebP or GIF")
    parser.add_argument("--sequence", type=Path, metavar="FOLDER", help="frame-0001.png and so on")
    parser.add_argument(
        "--fps", type=arguments.positive, default=12.0, help="of --animate (default: %(default)g)"
    )
    parser.add_argument(
        "--there-and-back", action="store_true", help="let --animate and --sequence come back to A"
    )
    arguments.add_pack(parser)
    inversion_arguments.add_inversion(parser)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the frames, and write what they are wanted as."""
    _check(args)
    out = _OUT if not (args.out or args.animate or args.sequence) else args.out
    files = [file for file in (out, args.animate) if file is not None]
    for file in files:
        writable_format(file)  # before any work is done
    refuse_overwriting([*args.ends, *inversion_arguments.inversion_files(args)], [*files, *_numbered(args)])
    with arguments.client(args) as client:
        for file in files:
            prepare_out(file.parent)
        if args.sequence is not None:
            prepare_out(args.sequence, "--sequence")
        frames = _in_parts(client, _between_seeds if args.seeds else _between_codes, args)
    _write(frames, out, args)
    written = {"animation": args.animate, "sequence": args.sequence}
    if args.json:
        more = {name: place for name, place in written.items() if place is not None}
        output.print_json({"output": out, "frames": len(frames), **more})
    else:
        first, last = args.seeds or args.ends
        places = ", ".join(one_line(place) for place in (out, *written.values()) if place is not None)
        say(f"{len(frames)} frames from {one_line(first)} to {one_line(last)}: {places}")
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.seeds and args.ends:
        raise InputError("--seeds: expected no A and B besides, whose place they take")
    if not args.seeds and len(args.ends) != 2:
        raise InputError(f"expected A and B, or --seeds, got {len(args.ends) or 'neither'}")
    if args.truncation is not None and not args.seeds:
        raise InputError("--truncation: expected --seeds besides, which it is for")
    if args.animate is not None and args.animate.suffix.lower() not in _ANIMATED:
        raise InputError(f"--animate: {args.animate}: expected a name ending in {' or '.join(_ANIMATED)}")
    if args.sequence is not None and args.sequence.is_dir():
        number = len(_numbered(args))
        found = (re.fullmatch(r"frame-(\d{4,})\.png", path.name) for path in args.sequence.iterdir())
        if more := sorted(each[0] for each in found if each and int(each[1]) > number):
            raise InputError(
                f"--sequence: {args.sequence}: there is {more[0]} of a longer sequence; choose another folder"
            )


def _numbered(args: argparse.Namespace) -> list[Path]:
    if args.sequence is None:
        return []
    count = 2 * args.frames - 1 if args.there_and_back else args.frames
    return sheets.sequence_files(args.sequence, count)


def _write(frames: list[Image.Image], out: Path | None, args: argparse.Namespace) -> None:
    back = frames[-2::-1] if args.there_and_back else []
    if out is not None and out.suffix.lower() == ".gif":
        sheets.animation([*frames, *frames[-2:0:-1]], out, len(frames) / args.seconds)
    elif out is not None:
        save_image(sheets.strip(frames), out)
    if args.animate is not None:
        # The last frame is the first one again, which the next round begins with.
        sheets.animation([*frames, *back[:-1]], args.animate, args.fps)
    if args.sequence is not None:
        sheets.sequence([*frames, *back], args.sequence)


def _in_parts(
    client: Client, between: Callable[[Client, argparse.Namespace], FramesAt], args: argparse.Namespace
) -> list[Image.Image]:
    """The frames, as many at a time as the service makes in a call."""
    amounts = arguments.spread(0.0, 1.0, args.frames)
    part = between(client, args)
    at_a_time = client.catalog().limits.max_images
    frames: list[Image.Image] = []
    for start in output.progress(range(0, len(amounts), at_a_time), "interpolating"):
        frames += part(amounts[start : start + at_a_time])
    return frames


def _between_seeds(client: Client, args: argparse.Namespace) -> FramesAt:
    first, last = args.seeds

    def part(amounts: Sequence[float]) -> list[Image.Image]:
        path = SeedPath(first, last, amounts)
        images = client.sample(path, truncation=args.truncation, pack=args.pack)
        return [sampled.image.image for sampled in images]

    return part


def _between_codes(client: Client, args: argparse.Namespace) -> FramesAt:
    first, last = _codes(client, args)

    def part(amounts: Sequence[float]) -> list[Image.Image]:
        return [edited.image.image for edited in client.edit(first, [Interpolate(last, amounts)]).images]

    return part


def _codes(client: Client, args: argparse.Namespace) -> list[LatentCode]:
    options = inversion_arguments.invert_options(args)

    def code(item: Item, progress: ProgressCallback) -> LatentCode:
        if item.path.suffix.lower() == SUFFIX:
            return LatentCode.load(item.path)
        return client.invert(item.path, progress=progress, **options).latent

    items = [Item(path, path.name) for path in args.ends]
    outcomes = work_through(items, code, title="inverting", jobs=2, client=client)
    for outcome in outcomes:
        if outcome.error is not None:
            raise outcome.error
    return [outcome.value for outcome in outcomes if outcome.value is not None]


def _seeds(text: str) -> tuple[int, int]:
    first, _, last = text.partition(",")
    if not first.strip().isdecimal() or not last.strip().isdecimal():
        raise argparse.ArgumentTypeError(f"expected two seeds, such as 3,7, got {text!r}")
    return int(first), int(last)


def _frames(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 2, got {text!r}")
    return int(text)
