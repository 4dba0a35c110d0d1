"""A small image-text pair, read once."""

from __future__ import annotations

import pytest

from relatent_export.nets.image_text import ImageText
from tests.export.text.pairs import small_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> ImageText:
    return small_pair(tmp_path_factory.mktemp("pair"))
