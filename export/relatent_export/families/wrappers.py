"""Where in a file its networks lie, whatever is wrapped around them.

Every tensor has a dotted name of the keys that lead to it: `models.generator_smooth.mapping.dense0.weight`.
Names that begin with `module.`, as `DataParallel` leaves them, are no other case than a dictionary of that
name. So a network is found by names that all of its kind have, and what comes before them is the place that
it lies at.
"""

from __future__ import annotations

import itertools
import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from relatent_export.checkpoints import PersistentObject
from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.checkpoints.wording import one_line
from relatent_export.families.family import Tensors

_AVERAGED = "smooth|average|averaged|avg|shadow|(net|model|params?)?(g|gen|generator)?ema"
"""A word in a place that tells an averaged network, the better one."""

_NOT = ("no", "non", "not", "without")

_MOST_NAMES = 1 << 26
"""Characters of all names in a file: sixty or so for each of the most values that a file may have."""

_SHOWN = 3


@dataclass(frozen=True)
class Found:
    """A network in a file.

    Attributes:
        place: what its tensors' names begin with; empty, or ends with a dot.
        tensors: by what comes after it.
    """

    place: str
    tensors: Tensors


@dataclass(frozen=True)
class Unfolded:
    """What lies in nested containers, by dotted name.

    Attributes:
        values: all that is not a container.
        mappings: the dictionaries.
    """

    values: Mapping[str, Any]
    mappings: Mapping[str, Mapping[Any, Any]]

    @property
    def tensors(self) -> dict[str, Tensor]:
        """The tensors among the values."""
        return {name: value for name, value in self.values.items() if isinstance(value, Tensor)}


def unfold(data: Any, path: str) -> Unfolded:
    """Name all values of nested containers, of a file at a path.

    Raises:
        DamagedFile: a name leads to two things, of which one is a tensor; or names are too long together: a
            container's key is in the names of all that is in it.
    """
    values: dict[str, Any] = {}
    mappings: dict[str, Mapping[Any, Any]] = {}
    left = _MOST_NAMES

    def visit(name: str, data: Any) -> None:
        nonlocal left
        items = _items(data)
        if items is None:
            if name in values and (isinstance(data, Tensor) or isinstance(values[name], Tensor)):
                raise DamagedFile(f"{path}: two things are called {one_line(name)!r}, and one is a tensor")
            values[name] = data
            return
        if isinstance(data, Mapping):
            mappings.setdefault(name, data)
        for key, value in items:
            left -= len(name) + len(str(key)) + 1
            if left < 0:
                raise DamagedFile(f"{path}: names of more than {_MOST_NAMES} characters together")
            visit(f"{name}.{key}" if name else str(key), value)

    visit("", data)
    return Unfolded(values, mappings)


def _items(data: Any) -> Iterable[tuple[Any, Any]] | None:
    """What is in a container, by key or number; None of anything else."""
    if isinstance(data, PersistentObject):
        return data.items()
    if isinstance(data, Mapping):
        return data.items()
    return enumerate(data) if isinstance(data, list | tuple) else None


def find(tensors: Tensors, marks: Iterable[tuple[str, str]]) -> list[Found]:
    """The networks that have both names of a pair; of nested ones the outer."""
    places = set()
    for mark, companion in marks:
        for name in tensors:
            place = name.removesuffix(mark)
            if f"{place}{mark}" == name and place[-1:] in ("", ".") and f"{place}{companion}" in tensors:
                places.add(place)
    # In their order, what begins with a place comes right after it: there may be very many.
    outer: list[str] = []
    for place in sorted(places):
        if not outer or not place.startswith(outer[-1]):
            outer.append(place)
    found: dict[str, dict[str, Tensor]] = {place: {} for place in outer}
    for name, tensor in tensors.items() if outer else ():
        place = outer[bisect_right(outer, name) - 1]
        if name.startswith(place):
            found[place][name.removeprefix(place)] = tensor
    return [Found(place, inside) for place, inside in found.items()]


def the_one(found: Sequence[Found], what: str, path: str, *, may_be_averaged: bool = True) -> Found | None:
    """The one network of a kind that is to be imported: of several the averaged one.

    Args:
        found: the networks.
        what: their kind.
        path: of the file.
        may_be_averaged: whether training leaves averaged ones of this kind.

    Raises:
        UnsupportedFile: there are several, and no name tells which is meant.
    """
    if len(found) <= 1:
        return found[0] if found else None
    chosen = [each for each in found if _is_averaged(each.place)] if may_be_averaged else []
    if len(chosen) != 1:
        places = " and ".join(repr(one_line(each.place.rstrip("."))) for each in found[:_SHOWN])
        untold = ", and no name tells which is the averaged one; save the one that is meant by itself"
        raise UnsupportedFile(
            f"{path}: holds {len(found)} {what}s, at {places}"
            f"{untold if may_be_averaged else '; save the one that is meant by itself'}"
        )
    return chosen[0]


def nearest(unfolded: Unfolded, place: str, key: str) -> Any:
    """The value of a key beside a place or nearest above it; a list of what is in it, if it is a container.

    None if there is none.
    """
    values = unfolded.values
    inner = [name for name in values if f"{key}." in name]
    for name in _above(place, key):
        inside = [values[each] for each in inner if each.startswith(f"{name}.")]
        if name in values or inside:
            return values.get(name, inside)
    return None


def nearest_mapping(unfolded: Unfolded, place: str, key: str) -> Mapping[str, Any]:
    """The dictionary of a key beside a place or nearest above it; empty if there is none."""
    held = (unfolded.mappings[name] for name in _above(place, key) if name in unfolded.mappings)
    return next(held, {})


def _above(place: str, key: str) -> Iterable[str]:
    """What a key is called beside a place, and on each level above it."""
    parts = place.split(".")[:-1]
    return (".".join([*parts[:count], key]) for count in range(len(parts), -1, -1))


def outline(data: Mapping[Any, Any], path: str) -> str:
    """What stands at the top of a file and under it, in a line."""
    at_top = [key for key, value in data.items() if isinstance(value, Tensor)]
    told = [f"at its top {listed(at_top)}"] if at_top else []
    others = [f"{one_line(str(key))!r} ({_about(data[key], path)})" for key in data if key not in at_top]
    return "; ".join([*told, *_cut(others, 2 * _SHOWN)]) or "nothing"


def _about(value: Any, path: str) -> str:
    if not isinstance(value, Mapping | list | tuple | PersistentObject):
        return type(value).__name__
    tensors = unfold(value, path).tensors
    kind = "a list" if isinstance(value, list | tuple) else "a dict"
    return f"{kind} of {_counted(tensors)}: {listed(tensors)}" if tensors else f"{kind} without a tensor"


def _counted(tensors: Tensors) -> str:
    return f"{len(tensors)} tensor{'s' if len(tensors) > 1 else ''}"


def listed(names: Iterable[Any]) -> str:
    """The first of some names."""
    return ", ".join(_cut([one_line(str(name)) for name in names], _SHOWN))


def _cut(texts: list[str], most: int) -> list[str]:
    return texts if len(texts) <= most else [*texts[:most], f"and {len(texts) - most} more"]


def _is_averaged(place: str) -> bool:
    """Whether a word tells it, and none before it says the opposite: `non_ema`."""
    words = re.split("[^a-z]+", re.sub("(?<=[a-z])(?=[A-Z])", "_", place).lower())
    return any(
        re.fullmatch(_AVERAGED, word) and before not in _NOT
        for before, word in itertools.pairwise(["", *words])
    )
