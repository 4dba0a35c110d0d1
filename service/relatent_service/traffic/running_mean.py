"""A running mean of what is measured as the service goes."""

from __future__ import annotations


class RunningMean:
    """A mean in which the newest measurement has a weight of its own; the first one replaces the guess.

    Args:
        guess: the value before anything was measured.
        weight: of a measurement after the first.
    """

    def __init__(self, guess: float, weight: float) -> None:
        self._weight = weight
        self._value = guess
        self._measured = False

    @property
    def value(self) -> float:
        """The mean so far."""
        return self._value

    def measure(self, value: float) -> None:
        """Take a measurement."""
        self._value += (self._weight if self._measured else 1.0) * (value - self._value)
        self._measured = True

    def at_least(self, value: float) -> None:
        """Take what is known to be less than the truth: it raises the mean, or does nothing."""
        if value > self._value:
            self.measure(value)
