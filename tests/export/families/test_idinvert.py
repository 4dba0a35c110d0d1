"""In-domain inversion's files, against the published equations."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families import idinvert_encoder, idinvert_generator
from relatent_export.families.family import Part
from tests.export.families import plain_stylegan1
from tests.fixtures.checkpoints.idinvert import (
    Tensors,
    idinvert_encoder_tensors,
    idinvert_generator_tensors,
)

WHAT = "a.pth"


def assert_close(ours: Tensor, plain: Tensor) -> None:
    assert ours.shape == plain.shape
    assert float((ours - plain).abs().max()) <= 1e-4 * float(plain.abs().max())


def test_the_fixtures_have_as_many_tensors_as_the_published_files() -> None:
    assert len(idinvert_generator_tensors(256, 4)) == 123
    assert len(idinvert_encoder_tensors(256, 4, base=2, most=32)) == 120


@pytest.mark.parametrize("transposed_from", [16, 128])
def test_images_are_those_of_the_published_equations(transposed_from: int) -> None:
    """Where layers double the side by copying pixels, and where by transposed convolutions."""
    tensors = idinvert_generator_tensors(transposed_from=transposed_from)
    generator = idinvert_generator.build(Part(WHAT, tensors))
    w = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert_close(generator.synthesis(w), torch.tanh(plain_stylegan1.synthesis(tensors, w, transposed_from)))


def test_codes_are_those_of_the_published_mapping_and_truncation() -> None:
    tensors = idinvert_generator_tensors(reached=5)
    generator = idinvert_generator.build(Part(WHAT, tensors))
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    free = plain_stylegan1.mapping(tensors, z).reshape(3, 8, 8)
    assert_close(generator.codes(z, 1.0), free)
    mean = tensors["truncation.w_avg"]
    assert_close(generator.codes(z, 0.7), mean + (free - mean) * tensors["truncation.truncation"])
    assert torch.equal(generator.mean_code(), mean.expand(8, -1))


def test_the_shape_is_read_off_the_tensors() -> None:
    config = idinvert_generator.generator_config(
        Part(WHAT, idinvert_generator_tensors(64, 5, z_width=3, hidden=9, mapping=4, reached=3))
    )
    assert (config.resolution, config.layers, config.latent_width, config.z_width) == (64, 10, 5, 3)
    assert (config.mapping_layers, config.mapping_width, config.truncated) == (4, 9, 3)
    assert config.channels == (10, 9, 8, 7, 6)
    assert config.tanh
    assert not config.shared
    assert idinvert_generator.build(Part(WHAT, idinvert_generator_tensors(64, 5))).config.resolution == 64


@pytest.mark.parametrize("mean", ["missing", "as it was initialised"])
def test_a_mean_latent_that_nobody_measured_is_estimated_for_each_row(mean: str) -> None:
    tensors = idinvert_generator_tensors()
    if mean == "missing":
        del tensors["truncation.w_avg"]
    else:
        tensors["truncation.w_avg"] = torch.zeros(8)
    rows = idinvert_generator.build(Part(WHAT, tensors)).mean_code()
    z = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(3))
    w = plain_stylegan1.mapping(tensors, z).reshape(-1, 8, 8)
    assert float((rows - w.mean(0)).abs().max()) < 0.05 * float(w.std())
    assert torch.equal(rows, idinvert_generator.build(Part(WHAT, tensors)).mean_code())


def test_a_file_that_does_not_say_how_far_truncation_reaches_has_all_rows_truncated() -> None:
    tensors = idinvert_generator_tensors(reached=5)
    del tensors["truncation.truncation"]
    assert idinvert_generator.build(Part(WHAT, tensors)).config.truncated == 8


def spoilt(change: str) -> Tensors:
    tensors = idinvert_generator_tensors()
    if change == "blur":
        tensors["synthesis.layer2.blur.kernel"] = tensors["synthesis.layer2.blur.kernel"] * 2
    elif change == "detail":
        tensors["synthesis.lod"] = torch.tensor(1.5)
    elif change == "classes":
        tensors["mapping.label_weight"] = torch.zeros(10, 6)
    elif change == "shared":
        tensors["mapping.dense7.fc.weight"] = torch.zeros(8, 7)
    elif change == "missing":
        del tensors["synthesis.layer3.epilogue.bias"]
    elif change == "unknown":
        tensors["synthesis.layer3.other"] = torch.zeros(1)
    elif change == "shape":
        tensors["synthesis.output3.conv.weight"] = torch.zeros(3, 9, 1, 1)
    return tensors


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            "blur",
            UnsupportedFile,
            r"a\.pth: synthesis\.layer2\.blur\.kernel: expected the filter \[1, 2, 1\]",
        ),
        ("detail", UnsupportedFile, r"a\.pth: synthesis\.lod: expected 0, got 1\.5"),
        ("classes", UnsupportedFile, r"a\.pth: mapping\.label_weight: a class-conditional generator"),
        (
            "shared",
            UnsupportedFile,
            r"a\.pth: mapping\.dense7\.fc\.weight: expected a w for each of 8 layers",
        ),
        (
            "missing",
            DamagedFile,
            r"a\.pth: expected a tensor 'synthesis\.layer3\.epilogue\.bias', found none",
        ),
        ("unknown", DamagedFile, r"a\.pth: unknown tensor 'synthesis\.layer3\.other'"),
        ("shape", DamagedFile, r"a\.pth: synthesis\.output3\.conv\.weight: expected shape \[3, 7, 1, 1\]"),
    ],
)
def test_what_is_no_finished_generator_of_the_family_is_refused_by_name(
    change: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as refusal:
        idinvert_generator.build(Part(WHAT, spoilt(change)))
    assert "\n" not in str(refusal.value)


def plain_encoder(tensors: Tensors, image: Tensor, width: int) -> Tensor:
    """The encoder as published: normalised, halved by averaging four pixels, at last one linear layer."""
    x = _activated(
        _normalised(tensors, "block0.bn", F.conv2d(image, tensors["block0.conv.weight"], padding=1))
    )
    i = 1
    while f"block{i}.conv1.weight" in tensors:
        x = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
        kept = x
        if f"block{i}.conv.weight" in tensors:
            kept = F.conv2d(x, tensors[f"block{i}.conv.weight"])
            kept = _activated(_normalised(tensors, f"block{i}.bn", kept))
        for part in (1, 2):
            x = F.conv2d(x, tensors[f"block{i}.conv{part}.weight"], padding=1)
            x = x + tensors[f"block{i}.wscale{part}.bias"][:, None, None]
            x = _activated(_normalised(tensors, f"block{i}.bn{part}", x))
        x = x + kept
        i += 1
    weight = tensors[f"block{i}.fc.weight"]
    x = x.flatten(1) @ weight.t() / math.sqrt(weight.shape[1])
    return _normalised(tensors, f"block{i}.bn", x[:, :, None, None]).reshape(len(image), -1, width)


def _normalised(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    if f"{name}.bn.weight" not in tensors:
        return x
    weight, bias, mean, variance = (
        tensors[f"{name}.bn.{part}"][:, None, None]
        for part in ("weight", "bias", "running_mean", "running_var")
    )
    return (x - mean) / torch.sqrt(variance + 1e-5) * weight + bias


def _activated(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, 0.2 * x)


@pytest.mark.parametrize("norm", [True, False])
def test_codes_of_images_are_those_of_the_published_equations(norm: bool) -> None:
    tensors = idinvert_encoder_tensors(norm=norm)
    encoder = idinvert_encoder.build(Part(WHAT, tensors))
    image = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(4)) * 2 - 1
    assert_close(encoder(image), plain_encoder(tensors, image, 8))


def test_the_shape_of_an_encoder_is_read_off_the_tensors() -> None:
    tensors = idinvert_encoder_tensors(64, 5, base=2, most=6)
    config = idinvert_encoder.build(Part(WHAT, tensors)).config
    assert (config.resolution, config.layers, config.width) == (64, 10, 5)
    assert config.channels == (2, 4, 6, 6, 6)
    assert idinvert_encoder.encoder_config(Part(WHAT, tensors)) == config


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("block2.wscale2.bias", None, "expected a tensor 'block2.wscale2.bias', found none"),
        ("block1.conv.weight", None, "expected a tensor 'block1.conv.weight', found none"),
        ("block3.bn1.bn.running_mean", None, "unknown tensor 'block3.bn1.bn.bias' and 3 more"),
        ("block4.fc.bias", torch.zeros(64), "unknown tensor 'block4.fc.bias'"),
        ("block4.fc.weight", torch.zeros(63, 128), "expected 8 layers of equal width, got 63 numbers"),
        ("block0.extra", torch.zeros(1), "unknown tensor 'block0.extra'"),
    ],
)
def test_what_is_no_encoder_of_the_family_is_refused_by_name(
    name: str, tensor: Tensor | None, message: str
) -> None:
    tensors = idinvert_encoder_tensors()
    if tensor is None:
        del tensors[name]
    else:
        tensors[name] = tensor
    with pytest.raises(DamagedFile, match=message):
        idinvert_encoder.build(Part(WHAT, tensors))
