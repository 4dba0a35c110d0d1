"""What `relatent edit` is to reach exactly: `--to` and `--by` as arguments, and what became of them."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from relatent.cli import arguments
from relatent.client.errors import InputError
from relatent.client.goals import Goal, Reach
from relatent.client.latents import SUFFIX
from relatent.client.requests import Operation
from relatent.client.results import EditedImage, TargetOutcome
from relatent.client.transfers import AttributeReading, chosen
from relatent.core.targets import AttributePart, End

NONE = "none"
"""What `--hold` takes for no attribute at all."""

_UNIT = re.compile(r"[^\W\d_]+|[%°]", re.UNICODE)

_ENDS = {
    End.REACHED: "reached",
    End.RANGE: "as near as the attribute's range goes",
    End.STALLED: "as near as it comes",
    End.ROUNDS: "as near as it came in its rounds",
    End.TIME_BUDGET: "as near as it came in its time",
    End.DEADLINE: "as near as it came before the deadline",
}


@dataclass(frozen=True)
class Like:
    """A wish: to be, in some attributes, as another image is.

    Attributes:
        file: the other image, or a code of it.
    """

    file: str

    @property
    def reference(self) -> Path:
        """Where it is."""
        return Path(self.file)


Read: TypeAlias = Callable[[Path], Mapping[str, AttributeReading]]
"""Reads attributes off the image at a path."""


def add_targets(group: argparse._ArgumentGroup) -> None:
    """Add the options; goals that follow each other are reached together."""
    for option, what in (("--to", "move until an attribute is"), ("--by", "change an attribute by")):
        group.add_argument(
            option,
            dest="operations",
            type=_to if option == "--to" else _by,
            action="append",
            metavar="ATTRIBUTE=VALUE[,…]",
            help=f"{what} this, exactly; with its unit or without, as yaw=10deg; several make a strip",
        )
    group.add_argument(
        "--like",
        dest="operations",
        type=Like,
        action="append",
        metavar=f"IMAGE|FILE{SUFFIX}",
        help="move until attributes are as another image has them",
    )
    group.add_argument(
        "--attributes",
        type=_names_of,
        metavar="ATTRIBUTE[,…]",
        help="those that --like is about (default: all)",
    )
    group.add_argument(
        "--hold",
        metavar="ATTRIBUTE[,…]",
        help=f"attributes that --to, --by and --like must leave as they are (default: all others), or {NONE}",
    )


def check(args: argparse.Namespace) -> None:
    """Make sure that what is only for goals has some.

    Raises:
        InputError: it has none.
    """
    wishes = args.operations
    likes = any(isinstance(wish, Like) for wish in wishes)
    if args.hold is not None and not likes and not any(isinstance(wish, Goal) for wish in wishes):
        raise InputError("--hold: expected --to, --by or --like besides, which it is for")
    if args.attributes is not None and not likes:
        raise InputError("--attributes: expected --like besides, which it is for")


def goals_like(like: Like, attributes: Sequence[str] | None, read: Read) -> list[Goal]:
    """What attributes must come to, to be as a reference image has them.

    Raises:
        InputError: an attribute is not there.
        RelatentError: the image cannot be read.
    """
    picked = chosen(read(like.reference), attributes or (), "--attributes")
    return [Goal(name, to=reading.value, unit=reading.unit) for name, reading in picked.items()]


def gathered(wishes: Iterable[Operation | Goal], hold: str | None) -> Iterator[Operation]:
    """Operations in their order, goals that follow each other made one."""
    goals: list[Goal] = []
    for wish in wishes:
        if isinstance(wish, Goal):
            goals.append(wish)
            continue
        if goals:
            yield _reach(goals, hold)
            goals = []
        yield wish
    if goals:
        yield _reach(goals, hold)


def outcome_lines(edited: EditedImage) -> Iterator[str]:
    """What became of an image's targets, a line each."""
    for target in edited.targets:
        asked = ", ".join(_attribute(name, target) for name in _names(target, AttributePart.ASKED))
        held = [target.attributes[name] for name in _names(target, AttributePart.HELD)]
        worst = max(_names(target, AttributePart.HELD), key=lambda name: _moved(target, name), default=None)
        moved = f"; of {len(held)} held, {worst} moved most, by {_moved(target, worst):.2g}" if worst else ""
        yield f"{asked}: {_ENDS[target.end]}, {target.rounds} rounds{moved}"


def outcome_documents(edited: EditedImage) -> list[dict[str, Any]]:
    """The same for JSON."""
    return [
        {
            "end": target.end,
            "rounds": target.rounds,
            "attributes": {
                name: {"part": each.part, "before": each.before, "asked": each.asked, "reached": each.reached}
                for name, each in target.attributes.items()
            },
        }
        for target in edited.targets
    ]


def _names(target: TargetOutcome, part: AttributePart) -> list[str]:
    return [name for name, each in target.attributes.items() if each.part is part]


def _moved(target: TargetOutcome, name: str) -> float:
    return abs(target.attributes[name].reached - target.attributes[name].before)


def _attribute(name: str, target: TargetOutcome) -> str:
    each = target.attributes[name]
    return f"{name} {each.before:.3g} to {each.reached:.3g} (asked {each.asked:.3g})"


def _reach(goals: Sequence[Goal], hold: str | None) -> Reach:
    if hold is None:
        return Reach(tuple(goals))
    names = () if hold == NONE else tuple(name.strip() for name in hold.split(","))
    if not all(names):
        raise InputError(f"--hold: expected names of attributes with commas between, got {hold!r}")
    return Reach(tuple(goals), names)


def _names_of(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"expected names of attributes with commas between, got {text!r}")
    return names


def _to(text: str) -> Goal:
    attribute, values, unit = _parsed(text)
    return Goal(attribute, to=values, unit=unit)


def _by(text: str) -> Goal:
    attribute, values, unit = _parsed(text)
    return Goal(attribute, by=values, unit=unit)


def _parsed(text: str) -> tuple[str, list[float], str]:
    attribute, _, value = text.partition("=")
    if not attribute or not value:
        raise argparse.ArgumentTypeError(f"expected ATTRIBUTE=VALUE, such as yaw=10deg, got {text!r}")
    numbers, unit = value, ""
    if (found := re.search(rf"({_UNIT.pattern})$", value)) is not None:
        numbers, unit = value[: found.start()], found.group()
    return attribute, arguments.numbers(numbers), unit
