"""`relatent restore`: images that lack something in, whole images and their codes out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from relatent.cli import arguments, inversion_arguments, output
from relatent.cli.batch import Outcome, exit_code, work_through
from relatent.cli.folders import PassedOver
from relatent.cli.inputs import Item, collect, prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.latents import SUFFIX
from relatent.client.restoring import Degraded, Restoration
from relatent.client.resuming import ProgressCallback
from relatent.core.restoration import RestorationPreset

_MEANINGLESS = ("--quality", "--min-in-domain", "--prompt", "--neutral", "--mask")
"""Flags of inversions that restorations do not have, or have as their own."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "restore",
        help="restore images: colours, resolution, parts that are missing, noise",
        description="Restore images. Each gets a picture of the whole image and NAME.safetensors, its code.",
        epilog="relatent restore damaged.png --preset inpaint --mask known.png --keep-known",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER")
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
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="images at a time (default: 8)")
    arguments.add_pack(parser)
    inversion_arguments.add_inversion(parser, _MEANINGLESS)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Restore the images; 1 where one of them failed."""
    found = collect(args.images, args.out)
    items = found.items
    inputs = [*(item.path for item in items), *inversion_arguments.inversion_files(args)]
    refuse_overwriting(inputs, (file for item in items for file in _results(item, args)))
    options = inversion_arguments.invert_options(args)
    options["output_format"] = args.format
    options.pop("mask", None)
    degraded = Degraded(args.blur or 0.0, args.fewer, args.colour, args.mask)
    with arguments.client(args) as client:
        arguments.check_service(client, args)
        prepare_out(args.out)
        output.tell_passed_over(found.passed_over)

        def restore(item: Item, progress: ProgressCallback) -> Restoration:
            restoration = client.restore(
                item.path,
                args.preset,
                degraded=degraded,
                keep_known=args.keep_known,
                progress=progress,
                **options,
            )
            code, picture = _results(item, args)
            code.parent.mkdir(parents=True, exist_ok=True)
            restoration.latent.save(code)
            restoration.image.save(picture)
            return restoration

        outcomes = work_through(items, restore, title="restoring", jobs=args.jobs, client=client)
    _report(outcomes, found.passed_over, args)
    return exit_code(outcomes)


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


def _results(item: Item, args: argparse.Namespace) -> tuple[Path, Path]:
    return args.out / f"{item.name}{SUFFIX}", args.out / f"{item.name}.{args.format}"


def _report(
    outcomes: list[Outcome[Restoration]], passed: Sequence[PassedOver], args: argparse.Namespace
) -> None:
    done = [(outcome.item, outcome.value) for outcome in outcomes if outcome.value is not None]
    if args.json:
        results = []
        for item, restoration in done:
            code, picture = _results(item, args)
            files = {"input": item.path, "latent": code, "image": picture}
            results.append(files | _document(restoration))
        failed, skipped = output.failures(outcomes), output.passed_over(passed)
        output.print_json({"results": results, "failed": failed, "passed_over": skipped})
        return
    for item, restoration in done:
        resumed = f", resumed {restoration.resumed}x" if restoration.resumed else ""
        say(
            f"{one_line(item.path)}: matches what was given at {restoration.match.psnr:.1f} dB after "
            f"{restoration.steps} steps ({restoration.stop_reason.value}{resumed}), "
            f"{restoration.timings.total:.1f} s"
        )
    say(output.summary(outcomes, len(passed), args.out))


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
