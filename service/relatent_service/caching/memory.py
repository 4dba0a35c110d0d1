"""What is kept in this process: the newest, as many as there is room for."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Newest(Generic[Key, Value]):
    """The one owner of some values, of which those go first that were not asked for longest.

    Args:
        room: for what all of them weigh.

    Attributes:
        weight: of what is there.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.weight = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value of a key, if it is there."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key][0]

    def put(self, key: Key, value: Value, weight: int = 1) -> None:
        """Keep a value, and let go of the oldest that there is no room for beside it.

        One that has no room even alone is not kept.
        """
        if key in self._entries:
            self.weight -= self._entries.pop(key)[1]
        if weight > self._room:
            return
        self._entries[key] = (value, weight)
        self.weight += weight
        while self.weight > self._room:
            _, (_, lost) = self._entries.popitem(last=False)
            self.weight -= lost
