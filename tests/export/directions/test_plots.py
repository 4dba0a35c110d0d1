"""Plots of what directions do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from relatent.core.attributes import Attribute
from relatent.core.directions import Direction
from relatent_export.directions.measuring import Ruler
from relatent_export.directions.plots import save_plot

ATTRIBUTES = tuple(Attribute(name, name.title(), low=-1, high=1) for name in ("one", "two", "none"))
POINTS = np.zeros((3, 2, 4), np.float32)
ALONG = Direction("up", np.eye(4, dtype=np.float32)[[0, 0]], 0.0, "one", 0, 1, 1.0, -2.0, 2.0)


def readings(points: NDArray[np.float32]) -> NDArray[np.float32]:
    first = points[:, 0, 0]
    return np.stack([first, -first / 2, 0 * first], axis=1)


def test_changes_are_shares_of_ranges() -> None:
    ruler = Ruler(ATTRIBUTES, readings, POINTS)
    np.testing.assert_allclose(ruler.mean_shares(ALONG, 1.0), [0.5, -0.25, 0])


def test_a_plot_is_drawn_and_equal_figures_give_equal_bytes(tmp_path: Path) -> None:
    ruler = Ruler(ATTRIBUTES, readings, POINTS)
    paths = [tmp_path / "plots" / f"{name}.png" for name in ("a", "b")]
    for path in paths:
        save_plot(ALONG, ruler, path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with Image.open(paths[0]) as picture:
        assert picture.width > picture.height > 300
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 3


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "plots").write_text("")
    with pytest.raises(OSError, match="plots"):
        save_plot(ALONG, Ruler(ATTRIBUTES, readings, POINTS), tmp_path / "plots" / "a.png")
