"""genforce's generators, against the published equations."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families import genforce_stylegan1, genforce_stylegan2
from relatent_export.families.family import Part
from relatent_export.families.recognising import recognise
from relatent_export.nets.stylegan1 import StyleGAN1Config
from relatent_export.nets.stylegan2 import GeneratorConfig
from tests.export.families import plain_stylegan1
from tests.fixtures.checkpoints.genforce import (
    Tensors,
    fir,
    genforce_pggan_tensors,
    genforce_stylegan1_tensors,
    genforce_stylegan2_tensors,
)

WHAT = "a.pth"


def assert_close(ours: Tensor, plain: Tensor) -> None:
    assert ours.shape == plain.shape
    assert float((ours - plain).abs().max()) <= 1e-4 * float(plain.abs().max())


def plain_mapping(tensors: Tensors, z: Tensor) -> Tensor:
    """z [B, Z] to w [B, D]: weights are used at a hundredth, and outputs have unit variance."""
    x = z / torch.sqrt((z**2).mean(1, keepdim=True) + 1e-8)
    i = 0
    while f"mapping.dense{i}.weight" in tensors:
        weight, bias = tensors[f"mapping.dense{i}.weight"] * 0.01, tensors[f"mapping.dense{i}.bias"] * 0.01
        x = x @ weight.t() / math.sqrt(weight.shape[1]) + bias
        x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)
        i += 1
    return x


def plain_synthesis(tensors: Tensors, w: Tensor) -> Tensor:
    """W+ codes [B, L, D] to images: a weight for each sample, zeros between pixels, then the filter."""
    x = tensors["synthesis.early_layer.const"].repeat(len(w), 1, 1, 1)
    image = torch.zeros(len(w), 3, 2, 2)
    for k in range(w.shape[1] - 1):
        name = f"synthesis.layer{k}"
        x = modulated(tensors, name, x, w[:, k], up=k % 2 == 1)
        x = x + tensors[f"{name}.noise_strength"] * tensors[f"{name}.noise"]
        x = x + tensors[f"{name}.bias"][:, None, None]
        x = torch.where(x > 0, x, 0.2 * x) * math.sqrt(2)
        if k % 2 == 0:
            colour = f"synthesis.output{k // 2}"
            shown = modulated(tensors, colour, x, w[:, k + 1], demodulate=False)
            image = (
                shown
                + tensors[f"{colour}.bias"][:, None, None]
                + filtered(F.pad(spread(image), (2, 1, 2, 1)))
            )
    return image


def modulated(
    tensors: Tensors, name: str, x: Tensor, w: Tensor, *, up: bool = False, demodulate: bool = True
) -> Tensor:
    style = w @ tensors[f"{name}.style.weight"].t() / math.sqrt(w.shape[1])
    style = style + tensors[f"{name}.style.bias"] + 1
    kernel = tensors[f"{name}.weight"]
    answers = []
    for sample, scale in zip(x, style, strict=True):
        weight = kernel / math.sqrt(kernel[0].numel()) * scale[:, None, None]
        if demodulate:
            weight = weight / torch.sqrt((weight**2).sum((1, 2, 3), keepdim=True) + 1e-8)
        maps = sample[None]
        if up:
            # Published: the kernel is turned by half a turn, and the transposed convolution turns it back.
            full = F.conv2d(F.pad(spread(maps), (2, 1, 2, 1)), weight)
            maps = filtered(F.pad(full, (1, 1, 1, 1)))
        else:
            maps = F.conv2d(maps, weight, padding=kernel.shape[2] // 2)
        answers.append(maps)
    return torch.cat(answers)


def spread(x: Tensor) -> Tensor:
    batch, channels, side, _ = x.shape
    result = torch.zeros(batch, channels, 2 * side, 2 * side)
    result[:, :, ::2, ::2] = x
    return result


def filtered(x: Tensor) -> Tensor:
    return F.conv2d(x, fir().expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def test_stylegan2_images_are_those_of_the_published_equations() -> None:
    tensors = genforce_stylegan2_tensors()
    generator = genforce_stylegan2.build(Part(WHAT, tensors))
    w = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(1))
    assert_close(generator.synthesis(w), plain_synthesis(tensors, w))


def test_stylegan2_codes_are_those_of_the_published_mapping_and_truncation() -> None:
    tensors = genforce_stylegan2_tensors()
    generator = genforce_stylegan2.build(Part(WHAT, tensors))
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(2))
    free, mean = plain_mapping(tensors, z), tensors["truncation.w_avg"]
    assert_close(generator.codes(z, 1.0), free[:, None].expand(-1, 8, -1))
    assert_close(generator.codes(z, 0.6), (mean + 0.6 * (free - mean))[:, None].expand(-1, 8, -1))


def test_stylegan1_images_are_those_of_the_published_equations() -> None:
    """At 128 pixels, where the last doubling is a transposed convolution and the others are not."""
    tensors = genforce_stylegan1_tensors(128)
    generator = genforce_stylegan1.build(Part(WHAT, tensors))
    w = torch.randn(2, 12, 8, generator=torch.Generator().manual_seed(3))
    assert_close(generator.synthesis(w), plain_stylegan1.synthesis(tensors, w, 128))


def test_stylegan1_codes_are_those_of_the_published_mapping_and_truncation() -> None:
    tensors = genforce_stylegan1_tensors()
    generator = genforce_stylegan1.build(Part(WHAT, tensors))
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(4))
    free, mean = plain_stylegan1.mapping(tensors, z), tensors["truncation.w_avg"]
    assert_close(generator.codes(z, 0.6), (mean + 0.6 * (free - mean))[:, None].expand(-1, 8, -1))


def test_shapes_and_architecture_are_read_off_the_tensors() -> None:
    first = genforce_stylegan1.generator_config(
        Part(WHAT, genforce_stylegan1_tensors(64, 5, z_width=3, mapping=4))
    )
    assert first == StyleGAN1Config(64, 5, 3, 4, 5, (10, 9, 8, 7, 6), shared=True, tanh=False, truncated=10)
    second = genforce_stylegan2.generator_config(
        Part(WHAT, genforce_stylegan2_tensors(64, 5, z_width=3, mapping=4))
    )
    assert second == GeneratorConfig(64, 5, 4, (10, 9, 8, 7, 6), noise=True, z_width=3)


@pytest.mark.parametrize("mean", ["missing", "as it was initialised"])
def test_a_mean_latent_that_nobody_measured_is_estimated(mean: str) -> None:
    z = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(5))
    second, first = genforce_stylegan2_tensors(16), genforce_stylegan1_tensors(16)
    for tensors in (second, first):
        del tensors["truncation.w_avg"]
        if mean != "missing":
            tensors["truncation.w_avg"] = torch.zeros(8)
    for found, w in (
        (genforce_stylegan2.build(Part(WHAT, second)).mean_code(), plain_mapping(second, z)),
        (genforce_stylegan1.build(Part(WHAT, first)).mean_code(), plain_stylegan1.mapping(first, z)),
    ):
        assert float((found - w.mean(0)).abs().max()) < 0.05 * float(w.std())
    assert not any(tensors.get("truncation.w_avg", torch.zeros(1)).any() for tensors in (second, first))


def test_a_mean_latent_may_have_a_row_for_each_layer() -> None:
    tensors = genforce_stylegan1_tensors(16)
    tensors["truncation.w_avg"] = torch.arange(48.0)
    assert torch.equal(
        genforce_stylegan1.build(Part(WHAT, tensors)).mean_code(), torch.arange(48.0).reshape(6, 8)
    )


@pytest.mark.parametrize(
    ("tensors", "told"),
    [
        (genforce_pggan_tensors(), r"a\.pth: a progressively grown GAN \(PGGAN\)"),
        ({"mapping.dense0.weight": torch.zeros(4, 4)}, r"a\.pth: expected a constant to start from"),
    ],
)
def test_a_generator_of_neither_architecture_is_refused_by_name(
    tensors: Tensors, told: str, tmp_path: Path
) -> None:
    torch.save({"generator_smooth": tensors}, tmp_path / "a.pth")
    with pytest.raises(UnsupportedFile, match=told):
        recognise(tmp_path / "a.pth")


def spoilt(change: str) -> Tensors:
    tensors = genforce_stylegan2_tensors(16)
    if change == "filter":
        tensors["synthesis.layer1.filter.kernel"] = fir() / 2
    elif change == "classes":
        tensors["mapping.label_weight"] = torch.zeros(10, 6)
    elif change == "classes, ADA":
        tensors["mapping.LabelEmbed.weight"] = torch.zeros(6, 10)
    elif change == "architecture":
        tensors = {name: tensor for name, tensor in tensors.items() if ".output0." not in name}
    elif change == "a w for each":
        tensors["mapping.dense2.weight"] = torch.zeros(48, 8)
    elif change == "missing":
        del tensors["synthesis.layer2.noise"]
    elif change == "unknown":
        tensors["synthesis.other"] = torch.zeros(1)
    elif change == "hidden width":
        tensors["mapping.dense0.weight"] = torch.zeros(9, 6)
    return tensors


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ("filter", UnsupportedFile, r"synthesis\.layer1\.filter\.kernel: expected the filter \[1, 3, 3, 1\]"),
        ("classes", UnsupportedFile, r"mapping\.label_weight: a class-conditional generator"),
        ("classes, ADA", UnsupportedFile, r"mapping\.LabelEmbed\.weight: a class-conditional generator"),
        ("architecture", UnsupportedFile, "not of the skip architecture"),
        (
            "a w for each",
            UnsupportedFile,
            r"mapping\.dense2\.weight: expected one w of 8 numbers for all layers",
        ),
        ("missing", DamagedFile, r"expected a tensor 'synthesis\.layer2\.noise', found none"),
        ("unknown", DamagedFile, r"unknown tensor 'synthesis\.other'"),
        ("hidden width", DamagedFile, r"mapping\.dense0\.weight: expected shape \[8, 6\], got \[9, 6\]"),
    ],
)
def test_what_is_no_stylegan2_of_the_family_is_refused_by_name(
    change: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=rf"a\.pth: {message}|a\.pth: .*{message}") as refusal:
        genforce_stylegan2.build(Part(WHAT, spoilt(change)))
    assert "\n" not in str(refusal.value)
