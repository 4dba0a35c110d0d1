"""What calls take besides the engine's time, as it was measured."""

import pytest

from relatent_service.traffic.call import Call
from relatent_service.traffic.fair_share import FairShare
from relatent_service.traffic.forecast import MOST_KINDS, Forecast, Slot, Work
from relatent_service.traffic.pace import Pace


async def test_of_however_many_kinds_of_calls_no_more_are_kept_than_may_be_and_those_measured_last():
    forecast, often = Forecast(Pace(), FairShare()), Work({"often": 0})
    for number in range(3 * MOST_KINDS):
        forecast.measure_outside(Work({f"move_{number}": 0}), 5.0)
        forecast.measure_outside(often, 7.0)
    assert len(forecast._outside) == MOST_KINDS
    assert forecast.end_now(Slot(often, Call(), {}), []) == pytest.approx(7.0)
