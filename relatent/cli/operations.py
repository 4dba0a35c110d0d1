"""What `relatent edit` and `relatent sample` are to do with codes: operations as arguments."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from relatent.cli import arguments, targets
from relatent.cli.targets import Like, Read
from relatent.client.errors import InputError
from relatent.client.goals import Goal, Reach
from relatent.client.latents import SUFFIX, LatentCode
from relatent.client.requests import Interpolate, Mix, Move, Operation, Reduce, Truncate
from relatent.client.transfers import Transfer
from relatent.client.within import Within


@dataclass(frozen=True)
class _ParsedOperation:
    """An operation as it was asked for, and the files of its other codes, in the order of its fields."""

    operation: Operation
    files: tuple[Path, ...] = ()


def add_operations(parser: argparse.ArgumentParser) -> None:
    """Add the operations, which apply in the order given, and what they share."""
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
        "--transfer",
        dest="operations",
        type=_transfer,
        action="append",
        metavar=f"FROM{SUFFIX},TO{SUFFIX}=AMOUNT[,…]",
        help="add what tells two codes of one person apart, such as an expression: 1 adds all of it",
    )
    group.add_argument(
        "--threshold",
        type=_norm,
        metavar="NORM",
        help="channels of a --transfer count from this L2 norm on (default: 1, as published; 0: all)",
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
        "--reduce",
        dest="operations",
        action="append_const",
        const=_ParsedOperation(Reduce()),
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
        type=_norm,
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
            "nothing to do: expected --to, --by, --set, --like, --mix, --towards, --transfer, --truncate or "
            "--reduce"
        )
    targets.check(args)
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
        wanted.append(operation)
    return list(targets.gathered(wanted, args.hold))


def add_z_moves(parser: argparse.ArgumentParser) -> None:
    """Add the moves of what samples are drawn from, which apply in the order given."""
    group = parser.add_argument_group("moves")
    group.add_argument(
        "--move",
        dest="moves",
        type=_z_move,
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
    wishes = [wish for wish in args.operations if isinstance(wish, _ParsedOperation)]
    references = [wish.reference for wish in args.operations if isinstance(wish, Like)]
    return [*references, *(file for wish in wishes for file in wish.files)]


def places_of_codes(args: argparse.Namespace, wanted: Sequence[Operation]) -> dict[str, Path]:
    """The same files by the places of their codes in a recipe of the operations that are wanted."""
    wishes = [wish for wish in args.operations if isinstance(wish, _ParsedOperation)]
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
        case Reach(goals=goals):
            return max((len(_values(goal)) for goal in goals), default=1)
        case _:
            return 1


def _codes(wish: _ParsedOperation) -> list[tuple[LatentCode, Path]]:
    match wish:
        case _ParsedOperation(Mix(other=other) | Interpolate(other=other), files):
            codes = [other]
        case _ParsedOperation(Transfer(source=source, target=target), files):
            codes = [source, target]
        case _:
            return []
    return list(zip(codes, files, strict=True))


def _values(goal: Goal) -> Sequence[float]:
    values = goal.to if goal.to is not None else goal.by
    return values if isinstance(values, Sequence) else [0.0]


def _move(text: str) -> _ParsedOperation:
    name, value = _assignment(text, "DIRECTION=STRENGTH, such as smile=1.5")
    return _ParsedOperation(Move(name, arguments.numbers(value)))


def _z_move(text: str) -> Move:
    name, value = _assignment(text, "DIRECTION=STRENGTH, such as age=1.5")
    try:
        return Move(name, float(value))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected one number, got {value!r}") from None


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


def _mix(text: str) -> _ParsedOperation:
    file, value = _assignment(text, f"FILE{SUFFIX}=LAYERS")
    return _ParsedOperation(Mix(_load(file), arguments.layers(value)), (Path(file),))


def _towards(text: str) -> _ParsedOperation:
    file, value = _assignment(text, f"FILE{SUFFIX}=AMOUNT")
    return _ParsedOperation(Interpolate(_load(file), arguments.numbers(value)), (Path(file),))


def _transfer(text: str) -> _ParsedOperation:
    expected = f"FROM{SUFFIX},TO{SUFFIX}=AMOUNT"
    pair, value = _assignment(text, expected)
    # Names may hold commas, but hardly what ends the first one.
    source, found, target = pair.partition(f"{SUFFIX},")
    if not found or not target:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
    files = (Path(source + SUFFIX), Path(target))
    before, after = (_load(str(file)) for file in files)
    return _ParsedOperation(Transfer(before, after, arguments.numbers(value)), files)


def _norm(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, got {text!r}")
    return value


def _truncate(text: str) -> _ParsedOperation:
    try:
        return _ParsedOperation(Truncate(float(text)))
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
