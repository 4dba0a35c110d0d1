"""`relatent edit`: move images or codes along directions, mix them, or pull them to the mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relatent.cli import arguments, operations, output, sheets, targets
from relatent.cli.batch import Outcome, exit_code, work_through
from relatent.cli.folders import PassedOver
from relatent.cli.inputs import Item, collect, prepare_out, refuse_overwriting
from relatent.cli.printing import one_line, say
from relatent.client.blocking import Client
from relatent.client.images import save_image
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.requests import InvertOptions, Operation
from relatent.client.results import Edit
from relatent.client.resuming import ProgressCallback


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
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="files at a time (default: 8)")
    arguments.add_pack(parser)
    arguments.add_inversion(parser)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _Files:
    """Where the results of one source go: pictures, each beside its code, and a strip of several."""

    pictures: tuple[Path, ...]
    strip: Path | None

    @property
    def all(self) -> list[Path]:
        codes = [picture.with_suffix(SUFFIX) for picture in self.pictures]
        return [*self.pictures, *codes, *([self.strip] if self.strip else [])]


@dataclass(frozen=True)
class _Done:
    edit: Edit
    files: _Files


def run(args: argparse.Namespace) -> int:
    """Edit the sources; 1 where one of them failed."""
    wanted = operations.operations(args)
    found = collect(args.sources, args.out, codes=True)
    items = found.items
    others = [*operations.code_files(args), *arguments.inversion_files(args)]
    inputs = [*(item.path for item in items), *others]
    count = operations.image_count(wanted)
    refuse_overwriting(inputs, (file for item in items for file in _files(item, count, args).all))
    options = arguments.invert_options(args)
    with arguments.client(args) as client:
        arguments.check_service(client, args)
        prepare_out(args.out)
        output.tell_passed_over(found.passed_over)

        def work(item: Item, progress: ProgressCallback) -> _Done:
            return _write(_edit(client, item, wanted, options, progress, args.format), item, args)

        outcomes = work_through(items, work, title="editing", jobs=args.jobs, client=client)
    _report(outcomes, found.passed_over, args)
    return exit_code(outcomes)


def _edit(
    client: Client,
    item: Item,
    wanted: Sequence[Operation],
    options: InvertOptions,
    progress: ProgressCallback,
    output_format: str,
) -> Edit:
    source = LatentCode.load(item.path) if item.path.suffix.lower() == SUFFIX else item.path
    return client.edit(source, wanted, progress=progress, output_format=output_format, invert=options)


def _write(edit: Edit, item: Item, args: argparse.Namespace) -> _Done:
    files = _files(item, len(edit.images), args)
    files.pictures[0].parent.mkdir(parents=True, exist_ok=True)
    for file, edited in zip(files.pictures, edit.images, strict=True):
        edited.image.save(file)
        edited.latent.save(file.with_suffix(SUFFIX))
    if files.strip:
        save_image(sheets.strip([edited.image.image for edited in edit.images]), files.strip)
    return _Done(edit, files)


def _files(item: Item, count: int, args: argparse.Namespace) -> _Files:
    def picture(name: str) -> Path:
        file: Path = args.out / f"{name}.{args.format}"
        return file

    if count == 1:
        return _Files((picture(item.name),), None)
    numbered = tuple(picture(f"{item.name}.{number:02d}") for number in range(count))
    return _Files(numbered, picture(f"{item.name}.strip"))


def _report(outcomes: list[Outcome[_Done]], passed: Sequence[PassedOver], args: argparse.Namespace) -> None:
    done = [(outcome.item, outcome.value) for outcome in outcomes if outcome.value is not None]
    if args.json:
        documents = [_document(item, value) for item, value in done]
        failed, skipped = output.failures(outcomes), output.passed_over(passed)
        output.print_json({"results": documents, "failed": failed, "passed_over": skipped})
        return
    for item, value in done:
        inversion = value.edit.inversion
        inverted = f" (inverted: {output.inversion_line(inversion)})" if inversion else ""
        picture = value.files.strip or value.files.pictures[0]
        say(f"{one_line(item.path)}: {one_line(picture)}{inverted}")
        for edited in value.edit.images:
            for line in targets.outcome_lines(edited):
                say(f"  {line}")
    say(output.summary(outcomes, len(passed), args.out))


def _document(item: Item, value: _Done) -> dict[str, Any]:
    inversion = value.edit.inversion
    return {
        "input": item.path,
        "images": [
            {
                "image": file,
                "latent": file.with_suffix(SUFFIX),
                "strength": edited.strength,
                "targets": targets.outcome_documents(edited),
            }
            for file, edited in zip(value.files.pictures, value.edit.images, strict=True)
        ],
        "strip": value.files.strip,
        "inversion": output.inversion_document(inversion) if inversion else None,
    }
