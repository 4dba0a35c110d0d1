"""Spans of traces as the rest of Relatent knows them, and the one that stands for all that nobody wants."""

from __future__ import annotations

from enum import Enum
from types import TracebackType
from typing import Self


class SpanKind(Enum):
    """Where what a span tells of is done."""

    INTERNAL = "internal"
    SERVER = "server"
    """Here, for a caller elsewhere."""
    CLIENT = "client"
    """Elsewhere, for us."""


class Span:
    """A part of the work on a call, from the beginning of a block to its end.

    This one tells nobody, and keeps nothing: where there are no traces, it is the only one
    (`relatent.core.tracing`). What is told of a span is small and nobody's secret: names, counts, codes;
    never a picture, a code, a key or the words of an error, which may quote what a caller sent.
    """

    __slots__ = ()

    @property
    def recording(self) -> bool:
        """Whether anybody is told; if not, whatever it takes to know an attribute can be spared."""
        return False

    def set(self, name: str, value: str | int | float | bool) -> None:
        """Tell something of it."""

    def fail(self, kind: str) -> None:
        """It came to nothing; the kind of error, by a name that errors share."""

    def settle(self) -> None:
        """What came of it has been told: an exception that ends its block says nothing new."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


NO_SPAN = Span()
