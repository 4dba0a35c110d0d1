"""`relatent invert`: images in, latent codes and reconstructions out."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from relatent.cli import arguments, inversion_arguments, output
from relatent.cli.batch import Outcome, exit_code, work_through
from relatent.cli.folders import PassedOver
from relatent.cli.inputs import Item, collect, prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.latents import SUFFIX
from relatent.client.results import Inversion
from relatent.client.resuming import ProgressCallback


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "invert",
        help="find the latent codes of images",
        description="Find the latent codes of images. Each gets NAME.safetensors, the code, and a picture "
        "of its reconstruction.",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE|FOLDER")
    arguments.add_out(parser, "out/invert")
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="images at a time (default: 8)")
    arguments.add_pack(parser)
    inversion_arguments.add_inversion(parser)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Invert the images; 1 where one of them failed."""
    found = collect(args.images, args.out)
    items = found.items
    inputs = [*(item.path for item in items), *inversion_arguments.inversion_files(args)]
    refuse_overwriting(inputs, (file for item in items for file in _results(item, args)))
    options = inversion_arguments.invert_options(args)
    options["output_format"] = args.format
    with arguments.client(args) as client:
        arguments.check_service(client, args)
        prepare_out(args.out)
        output.tell_passed_over(found.passed_over)

        def invert(item: Item, progress: ProgressCallback) -> Inversion:
            inversion = client.invert(item.path, progress=progress, **options)
            code, picture = _results(item, args)
            code.parent.mkdir(parents=True, exist_ok=True)
            inversion.latent.save(code)
            inversion.reconstruction.save(picture)
            return inversion

        outcomes = work_through(items, invert, title="inverting", jobs=args.jobs, client=client)
    _report(outcomes, found.passed_over, args)
    return exit_code(outcomes)


def _results(item: Item, args: argparse.Namespace) -> tuple[Path, Path]:
    return args.out / f"{item.name}{SUFFIX}", args.out / f"{item.name}.{args.format}"


def _report(
    outcomes: list[Outcome[Inversion]], passed: Sequence[PassedOver], args: argparse.Namespace
) -> None:
    done = [(outcome.item, outcome.value) for outcome in outcomes if outcome.value is not None]
    if args.json:
        results = []
        for item, inversion in done:
            code, picture = _results(item, args)
            files = {"input": item.path, "latent": code, "reconstruction": picture}
            results.append(files | output.inversion_document(inversion))
        failed, skipped = output.failures(outcomes), output.passed_over(passed)
        output.print_json({"results": results, "failed": failed, "passed_over": skipped})
        return
    for item, inversion in done:
        say(f"{one_line(item.path)}: {output.inversion_line(inversion)}")
    say(output.summary(outcomes, len(passed), args.out))
