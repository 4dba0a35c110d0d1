"""What `relatent edit` and `relatent sample` are to do with codes: operations as arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from relatent.cli import arguments, targets, words
from relatent.cli.targets import Like, Read
from relatent.cli.words import ParsedOperation
from relatent.client.errors import InputError
from relatent.client.goals import Goal, Reach
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.requests import Interpolate, Mix, Move, Operation, Reduce
from relatent.client.texts import Text
from relatent.client.transfers import Transfer
from relatent.client.within import Within


def add_operations(parser: argparse.ArgumentParser) -> None:
    """Add the operations, which apply in the order given, and what they share."""
    group = parser.add_argument_group("operations")
    group.add_argument(
        "--set",
        dest="operations",
        type=words.move,
        action="append",
        metavar="DIRECTION=STRENGTH[,…]",
        help="move along a direction, by one strength, several, or FROM:TO:COUNT",
    )
    group.add_argument(
        "--mix",
        dest="operations",
        type=words.mix,
        action="append",
        metavar=f"FILE{SUFFIX}=LAYERS",
        help="take layers, such as 4-9, of another code",
    )
    group.add_argument(
        "--towards",
        dest="operations",
        type=words.towards,
        action="append",
        metavar=f"FILE{SUFFIX}=AMOUNT[,…]",
        help="go a part of the way to another code",
    )
    group.add_argument(
        "--transfer",
        dest="operations",
        type=words.transfer,
        action="append",
        metavar=f"FROM{SUFFIX},TO{SUFFIX}=AMOUNT[,…]",
        help="add what tells two codes of one person apart, such as an expression: 1 adds all of it",
    )
    group.add_argument(
        "--threshold",
        type=words.norm,
        metavar="NORM",
        help="channels of a --transfer count from this L2 norm on (default: 1, as published; 0: all)",
    )
    group.add_argument(
        "--text",
        dest="operations",
        type=words.text_move,
        action="append",
        metavar="PROMPT[=STRENGTH[,…]]",
        help='move towards what a text says, such as "an old person with glasses"',
    )
    group.add_argument(
        "--beta",
        type=words.norm,
        metavar="RELEVANCE",
        help="channels count from this relevance to a --text on, 0 to 1; higher changes less (default: the "
        "pack's)",
    )
    group.add_argument(
        "--truncate",
        dest="operations",
        type=words.truncation,
        action="append",
        metavar="PSI",
        help="pull towards the mean: 1 leaves the code, 0 gives the mean",
    )
    group.add_argument(
        "--reduce",
        dest="operations",
        action="append_const",
        const=ParsedOperation(Reduce()),
        help="leave of a code its W+ part, without what it has besides",
    )
    group.add_argument(
        "--layers", type=arguments.layers, metavar="FIRST-LAST", help="layers that --set moves"
    )
    _add_meaning(group, "--set")
    targets.add_targets(group)
    group.add_argument(
        "--within", type=Path, metavar="MASK", help="confine the edit to the white of a mask of the image"
    )
    group.add_argument(
        "--feather",
        type=words.norm,
        metavar="PIXELS",
        help="how softly a --within ends: standard deviation of the mask's blur (default: 0)",
    )


def within(args: argparse.Namespace) -> Within | None:
    """Where the edit shows, as the arguments say.

    Raises:
        InputError: they soften the border of nothing.
    """
    if args.within is None and args.feather is not None:
        raise InputError("--feather: expected --within besides, whose border it softens")
    return None if args.within is None else Within(args.within, args.feather or 0.0)


def operations(args: argparse.Namespace, read: Read | None = None) -> list[Operation]:
    """The operations that the arguments ask for.

    Args:
        args: the arguments.
        read: reads reference images, whose readings become goals; None: leave these out, for a first look.

    Raises:
        InputError: none, or options that are for others.
    """
    if not args.operations:
        raise InputError(
            "nothing to do: expected --to, --by, --set, --like, --text, --mix, --towards, --transfer, "
            "--truncate or --reduce"
        )
    targets.check(args)
    texts = any(
        isinstance(wish.operation, Text) for wish in args.operations if isinstance(wish, ParsedOperation)
    )
    if args.beta is not None and not texts:
        raise InputError("--beta: expected --text besides, whose channels it chooses")
    if args.neutral is not None and not texts and args.prompt is None:
        raise InputError("--neutral: expected --text or --prompt besides, which it is told against")
    wanted: list[Operation | Goal] = []
    for wish in args.operations:
        if isinstance(wish, Like):
            wanted += [] if read is None else targets.goals_like(wish, args.attributes, read)
            continue
        operation = wish if isinstance(wish, Goal) else wish.operation
        if isinstance(operation, Move):
            operation = replace(_meant(operation, args), layers=args.layers)
        if isinstance(operation, Transfer):
            operation = replace(operation, threshold=args.threshold)
        if isinstance(operation, Text):
            operation = replace(operation, neutral=args.neutral or "", beta=args.beta)
        wanted.append(operation)
    return list(targets.gathered(wanted, args.hold))


def add_z_moves(parser: argparse.ArgumentParser) -> None:
    """Add the moves of what samples are drawn from, which apply in the order given."""
    group = parser.add_argument_group("moves")
    group.add_argument(
        "--move",
        dest="moves",
        type=words.z_move,
        action="append",
        default=[],
        metavar="DIRECTION=STRENGTH",
        help="move what the seeds draw along a direction of Z; may be repeated",
    )
    _add_meaning(group, "--move")


def z_moves(args: argparse.Namespace) -> list[Move]:
    """The moves of samples that the arguments ask for."""
    return [_meant(move, args) for move in args.moves]


def code_files(args: argparse.Namespace) -> list[Path]:
    """The files of the codes, and of the images, that operations take from or go to."""
    wishes = [wish for wish in args.operations if isinstance(wish, ParsedOperation)]
    references = [wish.reference for wish in args.operations if isinstance(wish, Like)]
    return [*references, *(file for wish in wishes for file in wish.files)]


def places_of_codes(args: argparse.Namespace, wanted: Sequence[Operation]) -> dict[str, Path]:
    """The same files by the places of their codes in a recipe of the operations that are wanted."""
    wishes = [wish for wish in args.operations if isinstance(wish, ParsedOperation)]
    # By identity: goals that follow each other become one operation, so the words' places are not its own.
    known = {id(code): file for wish in wishes for code, file in _codes(wish)}
    return {
        f"operations[{index}].{name}": known[id(value)]
        for index, operation in enumerate(wanted)
        for name, value in vars(operation).items()
        if id(value) in known
    }


def image_count(wanted: Sequence[Operation]) -> int:
    """How many images an edit makes of one: as many as an operation has strengths or amounts."""
    return max(map(_strength_count, wanted), default=1)


def _strength_count(operation: Operation) -> int:
    match operation:
        case Move(strength=[*several]) | Interpolate(amount=[*several]) | Transfer(amount=[*several]):
            return len(several)
        case Text(strength=[*several]):
            return len(several)
        case Reach(goals=goals):
            return max((len(_values(goal)) for goal in goals), default=1)
        case _:
            return 1


def _codes(wish: ParsedOperation) -> list[tuple[LatentCode, Path]]:
    match wish:
        case ParsedOperation(Mix(other=other) | Interpolate(other=other), files):
            codes = [other]
        case ParsedOperation(Transfer(source=source, target=target), files):
            codes = [source, target]
        case _:
            return []
    return list(zip(codes, files, strict=True))


def _values(goal: Goal) -> Sequence[float]:
    values = goal.to if goal.to is not None else goal.by
    return values if isinstance(values, Sequence) else [0.0]


def _add_meaning(group: argparse._ArgumentGroup, option: str) -> None:
    group.add_argument(
        "--keep",
        nargs="+",
        action="extend",
        default=[],
        metavar="DIRECTION",
        help=f"directions whose attributes {option} should leave as they are",
    )
    group.add_argument(
        "--absolute",
        action="store_true",
        help=f"strengths of {option} are distances to the boundary to arrive at",
    )


def _meant(move: Move, args: argparse.Namespace) -> Move:
    keep = tuple(name for name in args.keep if name != move.direction)
    return replace(move, absolute=args.absolute, keep=keep)
