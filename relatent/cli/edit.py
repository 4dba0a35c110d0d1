"""`relatent edit`: move images or codes along directions, mix them, or pull them to the mean."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from relatent.cli import arguments, output, sheets
from relatent.cli.batch import Outcome, exit_code, work_through
from relatent.cli.inputs import IMAGE_SUFFIXES, Item, collect
from relatent.client import Client
from relatent.errors import InputError
from relatent.latents import SUFFIX, LatentCode
from relatent.requests import Interpolate, InvertOptions, Mix, Move, Operation, Truncate
from relatent.results import Edit
from relatent.resuming import ProgressCallback


def add_parser(commands: Any) -> None:
    """Add the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "edit",
        help="edit images or latent codes",
        description="Edit images, which are inverted first, or saved latent codes. Operations apply in the "
        "order given; one of them may hold several strengths, which makes a strip.",
        epilog="relatent edit photo.png --set smile=1.5 --set age=-3:3:5 --keep glasses",
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar=f"IMAGE|FILE{SUFFIX}|FOLDER")
    group = parser.add_argument_group("operations")
    group.add_argument(
        "--set",
        dest="operations",
        type=_move,
        action="append",
        metavar="DIRECTION=STRENGTH[,…]",
        help="move along a direction, by one strength, several, or FROM:TO:COUNT",
    )
    group.add_argument(
        "--mix",
        dest="operations",
        type=_mix,
        action="append",
        metavar=f"FILE{SUFFIX}=LAYERS",
        help="take layers, such as 4-9, of another code",
    )
    group.add_argument(
        "--towards",
        dest="operations",
        type=_towards,
        action="append",
        metavar=f"FILE{SUFFIX}=AMOUNT[,…]",
        help="go a part of the way to another code",
    )
    group.add_argument(
        "--truncate",
        dest="operations",
        type=_truncate,
        action="append",
        metavar="PSI",
        help="pull towards the mean: 1 leaves the code, 0 gives the mean",
    )
    group.add_argument(
        "--keep",
        nargs="+",
        action="extend",
        default=[],
        metavar="DIRECTION",
        help="directions whose attributes --set should leave as they are",
    )
    group.add_argument(
        "--layers", type=arguments.layers, metavar="FIRST-LAST", help="layers that --set moves"
    )
    group.add_argument(
        "--absolute",
        action="store_true",
        help="strengths of --set are distances to the boundary to arrive at",
    )
    arguments.add_out(parser, "out/edit")
    parser.add_argument("-j", "--jobs", type=arguments.whole, default=8, help="files at a time (default: 8)")
    arguments.add_pack(parser)
    arguments.add_inversion(parser)
    arguments.add_connection(parser, timeout=300.0)
    arguments.add_json(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _Done:
    edit: Edit
    files: tuple[Path, ...]
    strip: Path | None


def run(args: argparse.Namespace) -> int:
    """Edit the sources; 1 where one of them failed."""
    operations = _operations(args)
    items = collect(args.sources, IMAGE_SUFFIXES | {SUFFIX}, args.out)
    options = arguments.invert_options(args)
    with arguments.client(args) as client:
        arguments.check_service(client, args)

        def work(item: Item, progress: ProgressCallback) -> _Done:
            return _write(_edit(client, item, operations, options, progress, args.format), item, args)

        outcomes = work_through(items, work, title="editing", jobs=args.jobs, client=client)
    _report(outcomes, args)
    return exit_code(outcomes)


def _edit(
    client: Client,
    item: Item,
    operations: Sequence[Operation],
    options: InvertOptions,
    progress: ProgressCallback,
    output_format: str,
) -> Edit:
    source = LatentCode.load(item.path) if item.path.suffix == SUFFIX else item.path
    return client.edit(source, operations, progress=progress, output_format=output_format, invert=options)


def _write(edit: Edit, item: Item, args: argparse.Namespace) -> _Done:
    several = len(edit.images) > 1
    files = []
    for number, edited in enumerate(edit.images):
        name = f"{item.name}.{number:02d}" if several else item.name
        file = args.out / f"{name}.{args.format}"
        file.parent.mkdir(parents=True, exist_ok=True)
        edited.image.save(file)
        edited.latent.save(args.out / f"{name}{SUFFIX}")
        files.append(file)
    if not several:
        return _Done(edit, tuple(files), None)
    strip: Path = args.out / f"{item.name}.strip.{args.format}"
    sheets.strip([edited.image.image for edited in edit.images]).save(strip)
    return _Done(edit, tuple(files), strip)


def _report(outcomes: list[Outcome[_Done]], args: argparse.Namespace) -> None:
    done = [(outcome.item, outcome.value) for outcome in outcomes if outcome.value is not None]
    if args.json:
        documents = [_document(item, value) for item, value in done]
        output.print_json({"results": documents, "failed": output.failures(outcomes)})
        return
    for item, value in done:
        inversion = value.edit.inversion
        inverted = f" (inverted: {output.inversion_line(inversion)})" if inversion else ""
        print(f"{item.path}: {value.strip or value.files[0]}{inverted}")
    print(output.summary(outcomes, args.out))


def _document(item: Item, value: _Done) -> dict[str, Any]:
    inversion = value.edit.inversion
    return {
        "input": str(item.path),
        "images": [
            {"image": str(file), "latent": str(file.with_suffix(SUFFIX)), "strength": edited.strength}
            for file, edited in zip(value.files, value.edit.images, strict=True)
        ],
        "strip": str(value.strip) if value.strip else None,
        "inversion": output.inversion_document(inversion) if inversion else None,
    }


def _operations(args: argparse.Namespace) -> list[Operation]:
    if not args.operations:
        raise InputError("nothing to do: expected --set, --mix, --towards or --truncate")
    operations: list[Operation] = []
    for operation in args.operations:
        if isinstance(operation, Move):
            keep = tuple(name for name in args.keep if name != operation.direction)
            operation = replace(operation, absolute=args.absolute, layers=args.layers, keep=keep)
        operations.append(operation)
    return operations


def _move(text: str) -> Move:
    name, value = _assignment(text, "DIRECTION=STRENGTH, such as smile=1.5")
    return Move(name, arguments.numbers(value))


def _mix(text: str) -> Mix:
    file, value = _assignment(text, f"FILE{SUFFIX}=LAYERS")
    return Mix(_load(file), arguments.layers(value))


def _towards(text: str) -> Interpolate:
    file, value = _assignment(text, f"FILE{SUFFIX}=AMOUNT")
    return Interpolate(_load(file), arguments.numbers(value))


def _truncate(text: str) -> Truncate:
    try:
        return Truncate(float(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}") from None


def _assignment(text: str, expected: str) -> tuple[str, str]:
    left, _, right = text.rpartition("=")
    if not left or not right:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    return left, right


def _load(file: str) -> LatentCode:
    try:
        return LatentCode.load(file)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
