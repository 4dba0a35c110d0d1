"""What exact edits start from is what the networks do."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from relatent.core.attributes import Attribute
from relatent_export.directions import controls
from relatent_export.directions.controls import Read, measure_controls
from relatent_export.nets.networks import Networks

Floats = NDArray[np.float32]

NAMES = ("one", "two", "three")
PLAIN = tuple(Attribute(name, name) for name in NAMES)
RANGED = tuple(Attribute(name, name, low=-1, high=1) for name in NAMES)


def reading(networks: Networks) -> Read:
    """Reads codes as `measure_controls` would by the network itself."""

    @torch.no_grad()
    def read(codes: Floats) -> Floats:
        assert networks.attributes is not None
        image = networks.generator.synthesis(torch.from_numpy(codes)).clamp(-1, 1)
        found: Floats = networks.attributes(image).numpy()
        return found

    return read


def test_the_jacobian_tells_what_a_small_step_of_a_code_does(small: Networks) -> None:
    found = measure_controls(small, RANGED, codes=1).controls
    assert found.jacobian.shape == (3, 8, 8)
    assert found.codes == 1
    z = torch.randn(1_024, 8, generator=torch.Generator().manual_seed(51))
    with torch.no_grad():
        code = small.generator.codes(z, 1.0)[:1].numpy()
    read = reading(small)
    for place, row in enumerate(found.jacobian):
        step = row / np.linalg.norm(row) * 0.004
        change = (read(code + step) - read(code - step))[0, place] / 2
        assert change == pytest.approx(0.004 * np.linalg.norm(row), rel=0.1)


def test_differences_of_readings_tell_the_same_as_derivatives(small: Networks) -> None:
    """Eight numbers a layer vary in eight directions, so that differences see all of them."""
    exact = measure_controls(small, RANGED, codes=2).controls
    bare = Networks(small.generator)
    found = measure_controls(bare, RANGED, reading(small), codes=2).controls
    scale = np.abs(exact.jacobian).max()
    assert np.abs(found.jacobian - exact.jacobian).mean() < 0.1 * scale
    cosine = (found.jacobian * exact.jacobian).sum() / (
        np.linalg.norm(found.jacobian) * np.linalg.norm(exact.jacobian)
    )
    assert cosine > 0.9


def test_ranges_that_nobody_tells_are_those_of_samples(
    small: Networks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "_RANGED", 64)
    monkeypatch.setattr(controls, "_LEAST_RANGED", 64)
    found = measure_controls(small, PLAIN, codes=1)
    assert all(attribute.measured for attribute in found.attributes)
    assert all(
        0 < reach <= 1.0001 * each.width
        for reach, each in zip(found.controls.reach, found.attributes, strict=True)
    )


@pytest.mark.parametrize(("answer", "why"), [(np.nan, "finite readings"), (0.5, "reads the same, 0.5")])
def test_a_network_that_answers_nonsense_is_refused_by_the_attributes_name(
    small: Networks, answer: float, why: str
) -> None:
    def read(codes: Floats) -> Floats:
        readings = np.random.default_rng(len(codes)).random((len(codes), 3), np.float32)
        readings[:, 1] = answer
        return readings

    with pytest.raises(ValueError, match=f"two: .*{why}"):
        measure_controls(Networks(small.generator), PLAIN, read, codes=1)


def test_a_pack_without_a_network_has_nothing_to_measure(small: Networks) -> None:
    with pytest.raises(ValueError, match="expected a pack that has a network"):
        measure_controls(Networks(small.generator), RANGED)
