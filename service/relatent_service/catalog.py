"""What is served: packs, their methods and their directions by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relatent.core.directions import Direction
from relatent.core.methods import Method
from relatent.core.pack import Pack
from relatent_service.errors import InvalidField, UnknownName

SHOWN = 64
"""How many letters of a caller's text are quoted."""


class ServedPacks:
    """The packs of a server.

    Args:
        packs: by name, at least one.

    Attributes:
        all: the same, in the order of their names.
    """

    def __init__(self, packs: Mapping[str, Pack]) -> None:
        self.all = dict(sorted(packs.items()))

    def pack(self, name: str, field: str) -> Pack:
        """Look a pack up; an empty name means the only one.

        Raises:
            InvalidField: the name is empty and there are several.
            UnknownName: there is none of that name.
        """
        if not name:
            if len(self.all) > 1:
                raise InvalidField(field, f"expected the name of a pack, one of {_listed(self.all)}")
            return next(iter(self.all.values()))
        if name not in self.all:
            raise UnknownName(
                field, f"no pack {shown(name)}; there are: {_listed(self.all)}", reason="UNKNOWN_PACK"
            )
        return self.all[name]


def find_direction(pack: Pack, name: str, field: str) -> Direction:
    """Look a direction of a pack up.

    Raises:
        UnknownName: there is none of that name.
    """
    if name not in pack.directions:
        raise UnknownName(
            field,
            f"pack {pack.name!r} has no direction {shown(name)}; there are: {_listed(pack.directions)}",
            reason="UNKNOWN_DIRECTION",
        )
    return pack.directions[name]


def find_method(pack: Pack, name: str, field: str) -> Method:
    """Look a method of a pack up; an empty name means the default.

    Raises:
        UnknownName: there is none of that name.
    """
    if not name:
        return pack.default_method
    if name not in pack.methods:
        raise UnknownName(
            field,
            f"pack {pack.name!r} has no method {shown(name)}; there are: {_listed(pack.methods)}",
            reason="UNKNOWN_INVERSION_METHOD",
        )
    return pack.methods[name]


def shown(text: str) -> str:
    """A caller's text, fit to be quoted in a message: in ASCII, and cut where it is long."""
    part = text[:SHOWN]
    while len(ascii(part)) > SHOWN + 2:
        part = part[:-1]
    return ascii(part if part == text else part[:-3] + "...")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
