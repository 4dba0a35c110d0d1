"""What is served: packs and their directions by name, and whether the graphs agree with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relatent.core.directions import Direction
from relatent.core.pack import Pack
from relatent_service.engine.engine import Graph
from relatent_service.engine.graphs import PACK
from relatent_service.engine.models import GraphKind
from relatent_service.errors import InvalidField, UnknownName

SHOWN = 64
"""How many letters of a caller's text are quoted."""
REVISION = "relatent.revision"
"""The parameter of a graph's configuration that says which weights it was made of."""


class Catalog:
    """The packs of a server.

    Args:
        packs: by name, at least one.
    """

    def __init__(self, packs: Mapping[str, Pack]) -> None:
        self.packs = dict(sorted(packs.items()))

    def pack(self, name: str, field: str) -> Pack:
        """Look a pack up; an empty name means the only one.

        Raises:
            InvalidField: the name is empty and there are several.
            UnknownName: there is none of that name.
        """
        if not name:
            if len(self.packs) > 1:
                raise InvalidField(field, f"expected the name of a pack, one of {_listed(self.packs)}")
            return next(iter(self.packs.values()))
        if name not in self.packs:
            raise UnknownName(
                field, f"no pack {shown(name)}; there are: {_listed(self.packs)}", reason="UNKNOWN_PACK"
            )
        return self.packs[name]


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


def disagreements(packs: Iterable[Pack], graphs: Mapping[str, Graph]) -> list[str]:
    """What keeps packs and graphs from being served together, in sentences; empty if nothing."""
    problems = []
    for pack in packs:
        for kind in GraphKind.needed(pack):
            name = kind.of(pack)
            if name not in graphs:
                problems.append(f"graph {name} is missing")
                continue
            parameters = graphs[name].parameters
            revision = parameters.get(REVISION, "none")
            if revision != pack.revision:
                problems.append(f"graph {name} has revision {revision}, its pack {pack.revision}")
            if parameters.get(PACK) != pack.name:
                problems.append(f"graph {name} is of pack {parameters.get(PACK)}, expected {pack.name}")
    return problems


def shown(text: str) -> str:
    """A caller's text, fit to be quoted in a message: in ASCII, and cut where it is long."""
    part = text[:SHOWN]
    while len(ascii(part)) > SHOWN + 2:
        part = part[:-1]
    return ascii(part if part == text else part[:-3] + "...")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
