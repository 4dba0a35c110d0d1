"""`relatent edit`: move images or codes along directions, mix them, or pull them to the mean."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from relatent.cli import arguments, edited, inversion_arguments, operations, output
from relatent.cli.batch import Outcome, exit_code, work_through
from relatent.cli.edited import EditFiles, WrittenEdit
from relatent.cli.folders import PassedOver
from relatent.cli.inputs import Item, collect, prepare_out, refuse_overwriting
from relatent.cli.printing import say
from relatent.cli.read import readings_of
from relatent.client.blocking import Client
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.recipes import Recipe
from relatent.client.requests import InvertOptions, Operation
from relatent.client.results import Edit
from relatent.client.resuming import ProgressCallback
from relatent.client.transfers import AttributeReading
from relatent.client.within import Within


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "edit",
        help="edit images or latent codes",
        description="Edit images, which are inverted first, or saved latent codes. Operations apply in the "
        "order given; one of them may hold several strengths or values, which makes a strip.",
        epilog="relatent edit photo.png --to smile=0.8 --by yaw=10deg --hold age,glasses",
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar=f"IMAGE|FILE{SUFFIX}|FOLDER")
    operations.add_operations(parser)
    arguments.add_out(parser, "out/edit")
    parser.add_argument(
        "--save-recipe",
        type=Path,
        metavar="FILE.json",
        help="keep the operations and how images are inverted, for relatent apply",
    )
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="files at a time (default: 8)")
    arguments.add_pack(parser)
    inversion_arguments.add_inversion(parser)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Edit the sources; 1 where one of them failed."""
    count = operations.image_count(operations.operations(args))
    within = operations.within(args)
    found = collect(args.sources, args.out, codes=True)
    items = found.items
    options = inversion_arguments.invert_options(args)
    others = [*operations.code_files(args), *inversion_arguments.inversion_files(args)]
    others += [] if args.within is None else [args.within]
    inputs = [*(item.path for item in items), *others]
    recipes = [] if args.save_recipe is None else [args.save_recipe]
    results = (file for item in items for file in _files(item, count, args).all)
    refuse_overwriting(inputs, [*recipes, *results])
    with arguments.client(args, len(items)) as client:
        arguments.check_service(client, args)

        def read(reference: Path) -> Mapping[str, AttributeReading]:
            return readings_of(client, reference, args.pack, args.fit)

        wanted = operations.operations(args, read)
        recipe = None if args.save_recipe is None else _recipe(wanted, within, options, args)
        prepare_out(args.out)
        if recipe is not None:
            prepare_out(args.save_recipe.parent, "--save-recipe")
            recipe.save(args.save_recipe)
        output.tell_passed_over(found.passed_over)

        def work(item: Item, progress: ProgressCallback) -> WrittenEdit:
            edit = _edit(client, item, wanted, within, options, progress, args.format)
            return edited.write(edit, _files(item, len(edit.images), args))

        outcomes = work_through(items, work, title="editing", jobs=args.jobs, client=client)
    _report(outcomes, found.passed_over, args)
    return exit_code(outcomes)


def _recipe(
    wanted: Sequence[Operation], within: Within | None, options: InvertOptions, args: argparse.Namespace
) -> Recipe:
    inversion = InvertOptions(**options)
    pack = inversion.pop("pack", "")
    files = operations.places_of_codes(args, wanted)
    if isinstance(options.get("start"), LatentCode):
        files["inversion.start"] = Path(args.start)
    return Recipe(wanted, inversion, pack, files, within)


def _edit(
    client: Client,
    item: Item,
    wanted: Sequence[Operation],
    within: Within | None,
    options: InvertOptions,
    progress: ProgressCallback,
    output_format: str,
) -> Edit:
    source = LatentCode.load(item.path) if item.path.suffix.lower() == SUFFIX else item.path
    return client.edit(
        source, wanted, within=within, progress=progress, output_format=output_format, invert=options
    )


def _files(item: Item, count: int, args: argparse.Namespace) -> EditFiles:
    return EditFiles.of(item, count, args.out, args.format)


def _report(
    outcomes: list[Outcome[WrittenEdit]], passed: Sequence[PassedOver], args: argparse.Namespace
) -> None:
    done = [(outcome.item, outcome.value) for outcome in outcomes if outcome.value is not None]
    if args.json:
        documents = [edited.document(item, value) for item, value in done]
        failed, skipped = output.failures(outcomes), output.passed_over(passed)
        output.print_json({"results": documents, "failed": failed, "passed_over": skipped})
        return
    for item, value in done:
        for line in edited.lines(item, value):
            say(line)
    say(output.summary(outcomes, len(passed), args.out))
