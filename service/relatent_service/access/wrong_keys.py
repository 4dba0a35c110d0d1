"""How often each peer has come with a key that is none, and when it may come again.

A right key always goes through, whatever else its peer has sent: keys of 256 random bits are not guessed, and
behind a proxy, where all callers are one peer, a careless one must not shut the others out.
"""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import unquote

FREE = 10
"""Wrong keys that a peer may send at once."""
FORGET_SECONDS = 6.0
"""After which one of them is forgotten."""
MOST_SECONDS = 300.0
"""That a peer is told to wait at most."""
MOST_PEERS = 4096
"""Remembered at a time; beyond, those that were quiet for longest are forgotten."""


class WrongKeys:
    """Counts wrong keys of peers, each a bucket that leaks.

    Args:
        clock: seconds, never going back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._levels)

    def count(self, peer: str) -> float:
        """Count one.

        Args:
            peer: as gRPC names it, such as `ipv4:10.0.0.7:41234`.

        Returns:
            Seconds until its next one would be looked at; 0 where it has sent few.
        """
        place, now = place_of(peer), self._clock()
        level, then = self._levels.pop(place, (0.0, now))
        level = max(0.0, level - (now - then) / FORGET_SECONDS) + 1
        level = min(level, FREE + MOST_SECONDS / FORGET_SECONDS)
        self._levels[place] = level, now
        if len(self._levels) > MOST_PEERS:
            self._levels.popitem(last=False)
        return max(0.0, level - FREE) * FORGET_SECONDS


def place_of(peer: str) -> str:
    """What counts as one peer: an IPv4 address, a /64 network of IPv6, or all that use sockets."""
    kind, _, rest = unquote(peer).partition(":")
    if kind not in ("ipv4", "ipv6"):
        return kind
    host = rest.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return peer
    return str(ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False))
