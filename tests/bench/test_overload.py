"""What the measurement under overload counts."""

from __future__ import annotations

import asyncio
import time
from typing import cast

import numpy as np
import pytest

from bench import overload
from bench.overload import Window
from relatent import AsyncClient


def test_a_call_counts_for_the_share_of_its_time_in_the_window() -> None:
    window = Window(2.0, 10.0)
    assert window.share(3.0, 7.0) == 1
    assert window.share(0.0, 4.0) == pytest.approx(0.5)
    assert window.share(11.0, 15.0) == pytest.approx(0.25)
    assert window.share(0.0, 1.0) == window.share(12.0, 13.0) == 0


class BurstsOfAnswers:
    """A client whose calls all end together, every so many seconds."""

    def __init__(self, period: float) -> None:
        self._period = period

    async def invert(self, image: object, *, steps: int) -> None:
        del image, steps
        now = time.perf_counter()
        await asyncio.sleep(self._period - now % self._period)


@pytest.mark.parametrize("period", [0.11, 0.19, 0.23])
async def test_capacity_is_the_same_however_many_bursts_of_answers_the_window_holds(period: float) -> None:
    images = [np.zeros((1, 1, 3), np.uint8)] * 16
    client = cast(AsyncClient, BurstsOfAnswers(period))
    rate = await overload.rate(client, images, 50, 16, Window(0.3, 0.4))
    assert rate == pytest.approx(16 / period, rel=0.1)
