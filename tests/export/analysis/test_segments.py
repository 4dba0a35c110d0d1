"""Segmenters of every shape tell the same areas, and what is none is refused by name and reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from relatent_export.analysis.segments import Segmenter
from tests.export.analysis.segmenters import write_segmenter
from tests.export.attributes.networks import write_means

SIDE = 32
DESCRIPTION = 'file = "bright.onnx"\nnames = ["dark", "bright"]\n'


def pictures(*shares: float, light: int = 255) -> NDArray[np.uint8]:
    """Black ones, of which so much is light, from the top."""
    images = np.zeros((len(shares), SIDE, SIDE, 3), np.uint8)
    for image, share in zip(images, shares, strict=True):
        image[: round(share * SIDE)] = light
    return images


@pytest.mark.parametrize("kind", ["scores", "last", "map", "thick"])
def test_areas_are_read_whatever_the_shape_of_the_output(tmp_path: Path, kind: str) -> None:
    (tmp_path / "own.toml").write_text(DESCRIPTION)
    write_segmenter(tmp_path / "bright.onnx", kind)
    segmenter = Segmenter(tmp_path / "own.toml", pictures(0, 0.5, 1))
    assert [each.name for each in segmenter.classes] == ["dark", "bright"]
    found = segmenter.read(pictures(0.25, 1, 0, 0.5))
    np.testing.assert_allclose(found, [[75, 25], [0, 100], [100, 0], [50, 50]])


def test_a_description_says_how_it_sees_and_which_classes_count(tmp_path: Path) -> None:
    taken = '[[attributes]]\nname = "bright"\nlabel = "In the light"\n'
    # Bytes as they are: what is not black is far above what counts as bright.
    (tmp_path / "own.toml").write_text(f"{DESCRIPTION}range = [0, 255]\n{taken}")
    write_segmenter(tmp_path / "bright.onnx")
    segmenter = Segmenter(tmp_path / "own.toml", pictures(0, 1))
    assert [each.label for each in segmenter.classes] == ["In the light"]
    np.testing.assert_allclose(segmenter.read(pictures(0.25, 1, light=3)), [[25], [100]])


def test_a_segmenter_of_a_smaller_size_sees_smaller_images(tmp_path: Path) -> None:
    file = write_segmenter(tmp_path / "bright.onnx", side=16)
    np.testing.assert_allclose(
        Segmenter(file, pictures(0, 1)).read(pictures(0.5, 0.75)), [[50, 50], [25, 75]]
    )


def test_a_map_without_names_has_as_many_classes_as_a_byte_tells(tmp_path: Path) -> None:
    segmenter = Segmenter(write_segmenter(tmp_path / "bright.onnx", "map"), pictures(0, 1))
    assert [each.name for each in segmenter.classes[:2]] == ["bright_0", "bright_1"]
    assert segmenter.read(pictures(0.25)).shape == (1, 256)


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("answer", r"expected a class for each pixel, .* got \[1, 2\]"),
        ("grey", "expected a map of classes, whole numbers from 0 to 255, got 0.498"),
    ],
)
def test_what_tells_no_classes_of_pixels_is_refused(tmp_path: Path, kind: str, why: str) -> None:
    file = write_segmenter(tmp_path / "bright.onnx", kind)
    with pytest.raises(ValueError, match=f"{file}: {why}"):
        Segmenter(file, pictures(0, 1, light=127))


def test_what_is_made_for_one_image_is_refused(tmp_path: Path) -> None:
    file = write_segmenter(tmp_path / "bright.onnx", "single")
    with pytest.raises(ValueError, match="expected a network that takes several images at once"):
        Segmenter(file, pictures(0, 1, 0.5))


def test_a_map_with_more_classes_than_are_named_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('file = "bright.onnx"\nnames = ["dark"]\n')
    write_segmenter(tmp_path / "bright.onnx", "map")
    with pytest.raises(ValueError, match="whole numbers from 0 to 0, got 1"):
        Segmenter(tmp_path / "own.toml", pictures(0, 1))


def test_what_is_no_graph_or_sees_otherwise_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("a segmenter")
    with pytest.raises(ValueError, match=r"text\.onnx: expected an ONNX graph, got other bytes"):
        Segmenter(tmp_path / "text.onnx", pictures(0, 1))
    (tmp_path / "own.toml").write_text('file = "means.onnx"\ncolour = "GREY"\n')
    write_means(tmp_path / "means.onnx")
    with pytest.raises(ValueError, match=r"own\.toml: layout: expected NCHW or NHWC"):
        Segmenter(tmp_path / "own.toml", pictures(0, 1))
