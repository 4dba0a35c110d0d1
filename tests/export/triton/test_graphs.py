from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray

from relatent_export.nets.networks import Networks
from relatent_export.triton.graphs import Assess, Attributes, Encode, Map, Synthesize
from tests.export.running import run
from tests.fixtures.small import SMALL

Sessions = dict[str, onnxruntime.InferenceSession]
BATCHES = (1, 3, 5)


def image(batch: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 256, (batch, 32, 32, 3), dtype=np.uint8)


def relative(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs(a - b).max() / np.abs(b).max())


@pytest.mark.parametrize("batch", BATCHES)
def test_encoder_gives_pytorch_codes(small: Networks, sessions: Sessions, batch: int) -> None:
    ours = run(sessions["encode"], {"image": image(batch)})["w"]
    assert small.encoder is not None
    theirs = Encode(small, small.encoder)(torch.from_numpy(image(batch))).numpy()
    assert ours.shape == (batch, SMALL.layers, SMALL.latent_width)
    assert relative(ours, theirs) < 1e-4


@pytest.mark.parametrize("batch", BATCHES)
def test_mapping_gives_pytorch_codes_with_a_truncation_for_each_sample(
    small: Networks, sessions: Sessions, batch: int
) -> None:
    random = np.random.default_rng(1)
    feed = {
        "z": random.standard_normal((batch, SMALL.latent_width), dtype=np.float32),
        "psi": np.linspace(0, 1, batch, dtype=np.float32)[:, None],
    }
    ours = run(sessions["map"], feed)["w"]
    theirs = Map(small)(torch.from_numpy(feed["z"]), torch.from_numpy(feed["psi"])).numpy()
    assert relative(ours, theirs) < 1e-4
    assert np.allclose(ours[0], small.generator.mapping.mean.numpy(), atol=1e-6)  # psi 0


@pytest.mark.parametrize("batch", BATCHES)
def test_synthesis_gives_pytorch_images_to_one_level(small: Networks, sessions: Sessions, batch: int) -> None:
    w = np.random.default_rng(2).standard_normal((batch, SMALL.layers, SMALL.latent_width), dtype=np.float32)
    ours = run(sessions["synthesize"], {"w": w})["image"]
    theirs = Synthesize(small)(torch.from_numpy(w)).numpy()
    assert ours.dtype == np.uint8
    assert ours.shape == (batch, 32, 32, 3)
    assert ours.std() > 10  # a picture, not a constant
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("batch", BATCHES)
def test_assessment_and_attributes_give_pytorch_figures(
    small: Networks, sessions: Sessions, batch: int
) -> None:
    a, b = image(batch, 3), image(batch, 4)
    ours = run(sessions["assess"], {"image": a, "reference": b})
    theirs = Assess(small)(torch.from_numpy(a), torch.from_numpy(b))
    for name, value in zip(("mse", "psnr", "ssim", "perceptual"), theirs, strict=True):
        assert ours[name].shape == (batch, 1)
        assert np.allclose(ours[name], value.numpy(), rtol=1e-4, atol=1e-6), name
    attributes = run(sessions["attributes"], {"image": a})["attributes"]
    assert relative(attributes, Attributes(small)(torch.from_numpy(a)).numpy()) < 1e-4


def test_equal_images_are_at_distance_zero(sessions: Sessions) -> None:
    same = run(sessions["assess"], {"image": image(2), "reference": image(2)})
    assert np.all(same["mse"] == 0)
    assert np.allclose(same["psnr"], 100)
    assert np.allclose(same["ssim"], 1)
    assert np.all(same["perceptual"] == 0)


def test_graphs_are_of_opset_18_and_name_no_machine(graphs: dict[str, onnx.ModelProto]) -> None:
    for role, model in graphs.items():
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)], role
        assert model.ir_version <= 8, role
        if role not in ("refine_unrolled", "refine_plain"):  # made here, not by the writer
            assert b".py" not in model.SerializeToString(), role
