"""`relatent apply`: do an edit that was kept as a recipe to many images, and only what is not done yet."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relatent.cli import arguments, edited, operations, output, records
from relatent.cli.batch import Outcome, exit_code, work_through
from relatent.cli.edited import EditFiles, WrittenEdit
from relatent.cli.folders import PassedOver
from relatent.cli.inputs import Inputs, Item, collect, prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.blocking import Client
from relatent.client.errors import InputError, RelatentError
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.recipes import Recipe
from relatent.client.results import Edit
from relatent.client.resuming import ProgressCallback
from relatent.core import files
from relatent.core.stopping import StopReason
from relatent.core.targets import End

_MOST_BYTES = 1 << 30
"""Of a picture's file; no message could hold more."""
_BY_TIME = (End.DEADLINE, End.TIME_BUDGET)


class UnrepeatableError(RelatentError):
    """An edit ended by time, so that it would come out otherwise another time."""


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "apply",
        help="do a recipe to images, only what is missing",
        description="Do an edit that relatent edit --save-recipe kept to images or latent codes. What a run "
        "before has made of the same recipe and the same source stays as it is; so a run that was "
        "interrupted is simply run again.",
        epilog="relatent apply smiling.json photos/ --out smiling",
    )
    parser.add_argument("recipe", type=Path, metavar="RECIPE.json")
    parser.add_argument("sources", nargs="+", type=Path, metavar=f"IMAGE|FILE{SUFFIX}|FOLDER")
    arguments.add_out(parser, "out/apply")
    parser.add_argument("--again", action="store_true", help="make everything again, whatever is there")
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="files at a time (default: 8)")
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _Task:
    """A recipe, and where what it makes goes."""

    recipe: Recipe
    digest: str
    out: Path
    suffix: str

    def files(self, item: Item) -> EditFiles:
        return EditFiles.of(item, operations.image_count(self.recipe.operations), self.out, self.suffix)

    def record(self, item: Item) -> Path:
        # Pictures of another format are other results, and have records of their own.
        return self.out / records.FOLDER / f"{item.name}.{self.suffix}.json"

    def is_done(self, item: Item, revisions: Mapping[str, str]) -> bool:
        record = records.load(self.record(item))
        if item.error is not None or record is None:
            return False
        try:
            source = records.digest(item.path)
        except OSError:  # is told of as it is worked on
            return False
        return record.holds(self.digest, source, revisions, self.files(item))

    def do(self, client: Client, item: Item, progress: ProgressCallback) -> WrittenEdit:
        source, data = _source(item.path)
        edit = client.edit(
            source,
            self.recipe.operations,
            within=self.recipe.within,
            progress=progress,
            output_format=self.suffix,
            invert=self.recipe.options,
        )
        _check_repeatable(edit)
        written = edited.write(edit, self.files(item))
        code = edit.images[0].latent
        source_digest = hashlib.sha256(data).hexdigest()
        # Last: results without a record are made again, results with a wrong one never would be.
        records.Record.of(self.digest, source_digest, code.pack, code.revision, written.files).save(
            self.record(item)
        )
        return written


def run(args: argparse.Namespace) -> int:
    """Do the recipe to the sources; 1 where one of them failed."""
    recipe = Recipe.load(args.recipe)
    task = _Task(recipe, recipe.digest(), args.out, args.format)
    found = _without(collect(args.sources, args.out, codes=True), [args.recipe, *recipe.inputs])
    inputs = [*(item.path for item in found.items), args.recipe, *recipe.inputs]
    refuse_overwriting(inputs, (file for item in found.items for file in task.files(item).all))
    with arguments.client(args, len(found.items)) as client:
        catalog = client.catalog(timeout=min(args.timeout, 10.0))
        revisions = {name: pack.revision for name, pack in catalog.packs.items()}
        prepare_out(args.out)
        output.tell_passed_over(found.passed_over)
        looked = output.progress(found.items, "comparing")
        kept = {item for item in looked if not args.again and task.is_done(item, revisions)}
        missing = [item for item in found.items if item not in kept]

        def work(item: Item, progress: ProgressCallback) -> WrittenEdit:
            return task.do(client, item, progress)

        outcomes = work_through(missing, work, title="applying", jobs=args.jobs, client=client)
    _report(task, [item for item in found.items if item in kept], outcomes, found.passed_over, args)
    return exit_code(outcomes)


def _without(found: Inputs, own: Sequence[Path]) -> Inputs:
    """The inputs without the files that the recipe itself is made of, which may lie among them.

    Raises:
        InputError: nothing is left.
    """
    places = {os.path.realpath(path) for path in own}
    items = [item for item in found.items if os.path.realpath(item.path) not in places]
    parts = [
        PassedOver(item.path, "a part of the recipe")
        for item in found.items
        if os.path.realpath(item.path) in places
    ]
    if not items:
        raise InputError("nothing to do: every file that was handed over is a part of the recipe")
    return Inputs(items, [*found.passed_over, *parts])


def _source(path: Path) -> tuple[LatentCode | bytes, bytes]:
    """What to send of a file, and the bytes that it comes from: read once, so that the digest is of them.

    Raises:
        RelatentError, OSError: it cannot be read.
    """
    data = files.read_file(path, _MOST_BYTES)
    return (LatentCode.load(path) if path.suffix.lower() == SUFFIX else data), data


def _check_repeatable(edit: Edit) -> None:
    ends = {target.end for image in edit.images for target in image.targets}
    stop = edit.inversion.stop_reason if edit.inversion else None
    if ends.intersection(_BY_TIME) or stop in (StopReason.DEADLINE, StopReason.TIME_BUDGET):
        raise UnrepeatableError(
            "it ended by time, so another run would make something else; expected a longer --timeout"
        )


def _report(
    task: _Task,
    kept: Sequence[Item],
    outcomes: list[Outcome[WrittenEdit]],
    passed: Sequence[PassedOver],
    args: argparse.Namespace,
) -> None:
    done = [(outcome.item, outcome.value) for outcome in outcomes if outcome.value is not None]
    if args.json:
        made = [edited.document(item, value) | {"kept": False} for item, value in done]
        there = [edited.kept_document(item, task.files(item)) for item in kept]
        failed, skipped = output.failures(outcomes), output.passed_over(passed)
        results = {"results": [*there, *made], "failed": failed, "passed_over": skipped}
        output.print_json({"recipe": args.recipe, "digest": task.digest, **results})
        return
    for item, value in done:
        for line in edited.lines(item, value):
            say(line)
    lost = len(outcomes) - len(done)
    parts = [f"{len(done)} done", f"{len(kept)} there already"]
    parts += [f"{lost} failed"] if lost else []
    parts += [f"{len(passed)} passed over"] if passed else []
    say(f"{', '.join(parts)}; results in {one_line(args.out)}/")
