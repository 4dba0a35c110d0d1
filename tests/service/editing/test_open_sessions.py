"""How many sessions last, and how long one may say nothing."""

from relatent_service.editing.open_sessions import OPENING_SECONDS
from relatent_service.settings import read_settings


def test_there_is_time_to_upload_the_largest_picture_over_five_megabits_a_second():
    assert read_settings([], {}).max_image_bytes * 8 / 5e6 < OPENING_SECONDS
