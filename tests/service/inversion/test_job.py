"""What an inversion says that it will ask of the engine."""

import pytest

from relatent.v1 import inversion_pb2 as v1
from relatent_service.catalog import ServedPacks
from relatent_service.rpc.reading.options import read_inversion
from relatent_service.settings import read_settings
from relatent_service.traffic.forecast import Work
from tests.fixtures.requests import image
from tests.fixtures.tiny import MAX_STEPS


@pytest.fixture
def parsed(pack):
    """Sixteen steps, in four chunks."""
    options = v1.InversionOptions(refinement=v1.Refinement(steps=4 * MAX_STEPS))
    return read_inversion(ServedPacks({"tiny": pack}), read_settings([], {}), image(), options)


@pytest.mark.parametrize(("every", "previews"), [(0, 0), (1, 5), (2, 2), (5, 1), (6, 0)])
def test_a_preview_may_come_with_every_report_that_before_the_first_chunk_included(parsed, every, previews):
    alone, shown = parsed.plan.work, parsed.reporting(every, 0).plan.work
    assert shown.runs["tiny_synthesize"] == alone.runs["tiny_synthesize"] + previews


def test_what_is_tried_only_where_there_is_time_counts_for_the_quota_and_against_no_deadline(parsed):
    after = Work({"tiny_read": 9}, {"tiny_read": 2})
    work, alone = parsed.followed_by(1, after).plan.work, parsed.plan.work
    assert work.runs["tiny_read"] == 2
    assert work.spare == {"tiny_read": 7}
    assert work.least is None
    assert work.steps == alone.steps + 9
