"""What is served: packs, their methods and their directions by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relatent.core.directions import Direction
from relatent.core.methods import Method
from relatent.core.pack import Pack
from relatent_service.access.caller import CALLER
from relatent_service.errors import InvalidField, PackNotAllowed, UnknownName

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

    def allowed(self) -> dict[str, Pack]:
        """Those that the caller at hand may use, in the order of their names."""
        caller = CALLER.get()
        return {name: pack for name, pack in self.all.items() if caller.may_use(name)}

    def pack(self, name: str, field: str) -> Pack:
        """Look a pack up for the caller at hand; an empty name means the only one that it may use.

        Raises:
            InvalidField: the name is empty and there are several.
            PackNotAllowed: the caller may use others alone, whether or not there is one of that name.
            UnknownName: there is none of that name.
        """
        packs = self.allowed()
        if name in packs:
            return packs[name]
        if not name and len(packs) == 1:
            return next(iter(packs.values()))
        if not name and packs:
            raise InvalidField(field, f"expected the name of a pack, one of {_listed(packs)}")
        if not CALLER.get().may_use(name):
            what = shown(name) if name else "any that is here"
            raise PackNotAllowed(
                field, f"the API key {CALLER.get().name!r} is not for {what}; it may use: {_listed(packs)}"
            )
        raise UnknownName(field, f"no pack {shown(name)}; there are: {_listed(packs)}", reason="UNKNOWN_PACK")


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
