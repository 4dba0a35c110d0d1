"""Which calls go first."""

from __future__ import annotations

from enum import StrEnum


class TrafficClass(StrEnum):
    """Of a call: who waits for it, and so what goes first; in that order."""

    INTERACTIVE = "interactive"
    BULK = "bulk"

    def capped(self, cap: TrafficClass) -> TrafficClass:
        """The same, or the cap where that goes later."""
        return max(self, cap, key=list(TrafficClass).index)
