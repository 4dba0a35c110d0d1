"""Where in a file its networks lie, whatever is wrapped around them.

Every tensor has a dotted name of the keys that lead to it: `models.generator_smooth.mapping.dense0.weight`.
Names that begin with `module.`, as `DataParallel` leaves them, are no other case than a dictionary of that
name. So a network is found by names that all of its kind have, and what comes before them is the place that
it lies at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from export.importers.contents import Tensors
from export.importers.errors import UnsupportedFile
from export.importers.named import under
from export.importers.reading import PersistentObject
from export.importers.reading.telling import one_line

_AVERAGED = {"smooth", "average", "averaged", "avg", "shadow"}
"""Words in a place that tell an averaged network, the better one; besides those that end in `ema`."""

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


def leaves(data: Any, place: str = "") -> dict[str, Any]:
    """All values of nested containers, by dotted name."""
    if isinstance(data, PersistentObject):
        data = data.tensors()
    items: Iterable[tuple[Any, Any]]
    if isinstance(data, Mapping):
        items = data.items()
    elif isinstance(data, list | tuple):
        items = enumerate(data)
    else:
        return {place: data}
    found: dict[str, Any] = {}
    for key, value in items:
        found |= leaves(value, f"{place}.{key}" if place else str(key))
    return found


def tensors_of(data: Any) -> dict[str, Tensor]:
    """All tensors of nested containers, by dotted name."""
    return {name: value for name, value in leaves(data).items() if isinstance(value, Tensor)}


def find(tensors: Tensors, marks: Mapping[str, str]) -> list[Found]:
    """The networks that are told by a name together with another; of nested ones the outer."""
    places = set()
    for mark, companion in marks.items():
        for name in tensors:
            place = name.removesuffix(mark)
            if f"{place}{mark}" == name and place[-1:] in ("", ".") and f"{place}{companion}" in tensors:
                places.add(place)
    outer = [place for place in places if not any(place.startswith(each) for each in places - {place})]
    return [Found(place, under(tensors, place)) for place in sorted(outer)]


def the_one(found: Sequence[Found], what: str, path: str) -> Found | None:
    """The one network of a kind that is to be imported: of several the averaged one.

    Raises:
        UnsupportedFile: there are several, and no name tells which is meant.
    """
    averaged = [each for each in found if _is_averaged(each.place)]
    chosen = averaged if len(found) > 1 else found
    if len(found) > 1 and len(chosen) != 1:
        places = " and ".join(repr(one_line(each.place.rstrip("."))) for each in found[:_SHOWN])
        raise UnsupportedFile(
            f"{path}: holds {len(found)} {what}s, at {places}, and no name tells which is the averaged one; "
            "save the one that is meant by itself"
        )
    return chosen[0] if chosen else None


def nearest(data: Any, place: str, key: str) -> Any:
    """The value of a key beside a place or nearest above it; a list of what is in it, if it is a container.

    None if there is none.
    """
    values = leaves(data)
    parts = place.split(".")[:-1]
    for count in range(len(parts), -1, -1):
        name = ".".join([*parts[:count], key])
        inside = [value for each, value in values.items() if each.startswith(f"{name}.")]
        if name in values or inside:
            return values.get(name, inside)
    return None


def nearest_mapping(data: Any, place: str, key: str) -> Mapping[str, Any]:
    """The dictionary of a key nearest above a place; empty if there is none."""
    levels = [data]
    for part in place.split(".")[:-1]:
        if not isinstance(levels[-1], Mapping) or part not in levels[-1]:
            break
        levels.append(levels[-1][part])
    for level in reversed(levels):
        if isinstance(level, Mapping) and isinstance(level.get(key), Mapping):
            held: Mapping[str, Any] = level[key]
            return held
    return {}


def outline(data: Mapping[Any, Any]) -> str:
    """What stands at the top of a file and under it, in a line."""
    at_top = [key for key, value in data.items() if isinstance(value, Tensor)]
    told = [f"at its top {listed(at_top)}"] if at_top else []
    others = [f"{one_line(str(key))!r} ({_about(data[key])})" for key in data if key not in at_top]
    return "; ".join([*told, *_cut(others, 2 * _SHOWN)]) or "nothing"


def _about(value: Any) -> str:
    if not isinstance(value, Mapping | list | tuple | PersistentObject):
        return type(value).__name__
    tensors = tensors_of(value)
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
    words = re.split("[^a-z]+", place.lower())
    return any(word in _AVERAGED or word.endswith("ema") for word in words)
