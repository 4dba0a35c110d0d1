"""Who a call is from, as its key says."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

from relatent.core.access_keys import UNLIMITED, Quota
from relatent.core.traffic import TrafficClass


@dataclass(frozen=True)
class Caller:
    """Who calls.

    Attributes:
        name: of the key; empty where none is asked for.
        packs: that it may use; None: all.
        traffic_class: the first class that its calls may have.
        quota: what they may have of this server.
    """

    name: str = ""
    packs: frozenset[str] | None = None
    traffic_class: TrafficClass = TrafficClass.INTERACTIVE
    quota: Quota = UNLIMITED

    def may_use(self, pack: str) -> bool:
        """Whether a pack is among those."""
        return self.packs is None or pack in self.packs


ANYBODY = Caller()
CALLER: ContextVar[Caller] = ContextVar("caller", default=ANYBODY)
"""Of the call at hand; set by `relatent_service.rpc.interceptors`."""
