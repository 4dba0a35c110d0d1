"""What stands on top of a visitor's page, and what may take it away."""

from __future__ import annotations


class Notices:
    """Of a visitor's events, which one may take the notice away.

    Events overlap: one that ends well says nothing about a failure that was told while it went on.
    """

    def __init__(self) -> None:
        self._begun = 0
        self._told_after = 0
        """Events that had begun when something was last told."""

    def begin(self) -> int:
        """An event begins; its number."""
        self._begun += 1
        return self._begun

    def tell(self) -> None:
        """Something went wrong, and is told."""
        self._told_after = self._begun

    def may_clear(self, event: int) -> bool:
        """Whether all that is told is older than an event."""
        return event > self._told_after
