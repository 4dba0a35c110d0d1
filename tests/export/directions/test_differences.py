"""How attributes answer to codes: by differences of what is read as by autograd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from relatent.core.attributes import Attribute
from relatent_export.attributes.network import ImageNetwork
from relatent_export.attributes.trying import adapt_networks
from relatent_export.compile.onnx import export_module
from relatent_export.directions import controls
from relatent_export.directions.controls import measure_controls
from relatent_export.nets.networks import Networks

NAMES = ("one", "two", "three")
RANGED = tuple(Attribute(name, name, low=-1.0, high=1.0) for name in NAMES)
CODES = 3


@pytest.fixture(scope="module")
def graphed(small: Networks, tmp_path_factory: pytest.TempPathFactory) -> Networks:
    """The small networks with their attribute network as somebody else's: in ONNX, of NCHW in [-1, 1]."""
    assert small.attributes is not None
    model = export_module(small.attributes, [torch.rand(13, 3, 32, 32)], ["x"], ["answer"])
    file = tmp_path_factory.mktemp("graphed") / "own.onnx"
    onnx.save(model, file)
    adapted = adapt_networks([ImageNetwork(file, low=-1.0, high=1.0, names=NAMES)], small.generator)
    return replace(small, attributes=None, attribute_graph=adapted.graph)


@pytest.mark.parametrize(("step", "cosine", "share"), [(0.02, 0.99, 0.03), (None, 0.9, 0.15)])
def test_differences_of_readings_are_the_derivatives_within_what_codes_vary_in(
    small: Networks,
    graphed: Networks,
    monkeypatch: pytest.MonkeyPatch,
    step: float | None,
    cosine: float,
    share: float,
) -> None:
    exact = measure_controls(small, RANGED, codes=CODES).controls
    if step is not None:  # one so short that little bends on the way
        monkeypatch.setattr(controls, "_STEP", step)
    found = measure_controls(graphed, RANGED, codes=CODES).controls
    assert found.jacobian.shape == (3, 8, 8)
    assert found.codes == CODES
    # All 8 directions of the code are looked along, so nothing is left out.
    for near, true in zip(found.jacobian, exact.jacobian, strict=True):
        assert (near * true).sum() / np.linalg.norm(near) / np.linalg.norm(true) > cosine
        assert np.linalg.norm(near) == pytest.approx(np.linalg.norm(true), rel=share)


def test_fewer_directions_are_those_that_codes_vary_most_in(
    graphed: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure_controls(graphed, RANGED, codes=2).controls.jacobian
    monkeypatch.setattr(controls, "_COMPONENTS", 4)
    part = measure_controls(graphed, RANGED, codes=2).controls.jacobian
    mapped = controls._samples(graphed, controls._MAPPED)[:, 0].astype(np.float64)
    directions = np.linalg.svd(mapped - mapped.mean(0), full_matrices=False)[2][:4]
    assert part == pytest.approx(whole @ directions.T @ directions, abs=1e-5)


def test_large_images_get_fewer_codes_and_directions(
    graphed: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = 0

    def read(codes: NDArray[np.float32]) -> NDArray[np.float32]:
        nonlocal images
        images += len(codes)
        return codes[:, :3, 0]

    pixels = 32 * 32
    monkeypatch.setattr(controls, "_PIXELS", 25 * 2 * 8 * pixels)
    found = measure_controls(graphed, RANGED, read).controls
    assert found.codes == 5
    monkeypatch.setattr(controls, "_PIXELS", 1)
    assert measure_controls(graphed, RANGED, read).controls.codes == 4
    # Differences alone: 5 by 5, then 4 by 4, of two images at each of 8 layers; and how far steps go.
    assert images - 2 * 8 * (25 + 16) <= 2 * 8 * (1 + 3 * 5 * 2)


def test_no_codes_are_refused(graphed: Networks) -> None:
    with pytest.raises(ValueError, match="codes: expected 1 or more, got 0"):
        measure_controls(graphed, RANGED, codes=0)


def test_ranges_that_nobody_says_are_measured(graphed: Networks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "_RANGED", 64)
    monkeypatch.setattr(controls, "_LEAST_RANGED", 64)
    said = (Attribute("one", "One", low=3.0, high=4.0), *(Attribute(name, name) for name in NAMES[1:]))
    found = measure_controls(graphed, said, codes=1).attributes
    assert found[0] == said[0]
    assert all(attribute.measured for attribute in found)
