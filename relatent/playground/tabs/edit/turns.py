"""Whose turn it is where a new piece of work ends the one before."""

from __future__ import annotations


class VisitorTurn:
    """One piece of work, which looks now and then whether it shall go on.

    Attributes:
        is_replaced: a newer one has begun.
        is_stopped: somebody wants it to end.
    """

    def __init__(self) -> None:
        self.is_replaced = False
        self.is_stopped = False


class Turns:
    """Of a visitor's inversions, the newest alone goes on."""

    def __init__(self) -> None:
        self._newest = VisitorTurn()

    def begin(self) -> VisitorTurn:
        """Take the turn from whoever has it."""
        before, self._newest = self._newest, VisitorTurn()
        before.is_replaced = True
        return self._newest

    def stop(self) -> None:
        """Have whoever has the turn end."""
        self._newest.is_stopped = True
