"""What was charged to calls of each class, and so what bulk calls may have. Pure, but for the clock.

Calls are charged as `relatent_service.traffic.pace` has it: of the time that passes, each of those at the
engine an equal part.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from relatent.core.traffic import TrafficClass
from relatent_service.traffic.sharing import BULK_SHARE

MOST_CREDIT_SECONDS = 1.0
"""What bulk calls may have at once of what they left unused of their share: enough to have it where so many
calls are at work that their chunks take seconds together."""
LOAD_SECONDS = 10.0
"""Over how long the load of interactive calls is averaged."""


class Account:
    """The one owner of what was charged, and of who is at the engine.

    Args:
        clock: seconds, from anywhere.

    Attributes:
        present: calls at the engine.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.present = dict.fromkeys(TrafficClass, 0)
        self._interactive = self._wait_for_bulk = self._bulk = False
        self._credit = 0.0
        self._load = 0.0
        self._since = clock()

    def enter(self, traffic_class: TrafficClass) -> None:
        """A call goes to the engine."""
        self._pass_time()
        self.present[traffic_class] += 1

    def leave(self, traffic_class: TrafficClass) -> None:
        """A call comes back from the engine."""
        self._pass_time()
        self.present[traffic_class] -= 1

    def want(self, *, interactive: bool, kept_out: bool, bulk: bool) -> None:
        """Tell who is here, at work or waiting for it.

        Args:
            interactive: whether an interactive call is.
            kept_out: whether one waits for a slot, and none has one.
            bulk: whether a bulk call is.
        """
        self._pass_time()
        both = interactive and bulk
        if both != (self._interactive and self._bulk):
            # Only what was left unused goes: a client of one bulk call after the other owes for the last.
            self._credit = min(self._credit, 0.0)
        self._interactive, self._wait_for_bulk, self._bulk = interactive, kept_out, bulk

    def credit(self) -> float:
        """Seconds that bulk calls may be charged until they have had their share; below 0, what they owe."""
        self._pass_time()
        return self._credit

    def load(self) -> float:
        """Of the time of late, what interactive calls were charged."""
        self._pass_time()
        return self._load

    def _pass_time(self) -> None:
        now = self._clock()
        passed, self._since = now - self._since, now
        interactive, bulk = self.present[TrafficClass.INTERACTIVE], self.present[TrafficClass.BULK]
        everybody = interactive + bulk
        kept = math.exp(-passed / LOAD_SECONDS)
        self._load = self._load * kept + (1 - kept) * (interactive / everybody if everybody else 0.0)
        if self._interactive and self._bulk:
            # What bulk calls do while no interactive one could be at the engine is taken from nobody.
            if everybody and (interactive or self._wait_for_bulk):
                self._credit += passed * (BULK_SHARE - bulk / everybody)
                self._credit = min(self._credit, MOST_CREDIT_SECONDS)
        elif self._credit < 0 and (interactive or not self._interactive):
            # A debt is paid by the share of who is charged alone, and not kept for those who went long ago.
            self._credit = min(self._credit + passed * BULK_SHARE, 0.0)
