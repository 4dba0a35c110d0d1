"""StyleGAN2 generators by rosinality's and NVIDIA's names draw what the published equations draw."""

from __future__ import annotations

import pytest
import torch

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families import genforce_stylegan2, nvlabs, rosinality
from relatent_export.families.family import Part
from relatent_export.nets.stylegan2 import Generator
from tests.export.families import plain_stylegan2 as plain
from tests.fixtures.checkpoints.genforce import genforce_layout
from tests.fixtures.checkpoints.stylegan2 import nvlabs_tensors, rosinality_tensors


def from_rosinality(tensors: dict[str, torch.Tensor], mean: torch.Tensor | None) -> Generator:
    return rosinality.build(Part("file", tensors, mean))


def from_nvlabs(tensors: dict[str, torch.Tensor]) -> Generator:
    return nvlabs.build(Part("file", tensors))


def relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("channels", [(12, 10, 8, 6), (6, 6), (4, 5, 6, 7, 8)])
def test_a_generator_of_any_widths_draws_what_the_equations_draw(channels: tuple[int, ...]) -> None:
    tensors = rosinality_tensors(channels)
    generator = from_rosinality(tensors, None)
    assert generator.config.resolution == 4 << (len(channels) - 1)
    z = torch.randn(3, 8)
    w = generator.mapping(z)
    assert relative(w, plain.mapping(tensors, z)) < 1e-4
    codes = torch.randn(3, generator.config.layers, 8)
    assert relative(generator.synthesis(codes), plain.synthesis(tensors, codes)) < 1e-4


def test_three_layouts_of_the_same_generator_are_the_same_generator() -> None:
    tensors, mean = rosinality_tensors(), torch.randn(8)
    one = from_rosinality(tensors, mean).state_dict()
    for other in (
        from_nvlabs(nvlabs_tensors(tensors, mean)).state_dict(),
        genforce_stylegan2.build(Part("file", genforce_layout(tensors, mean))).state_dict(),
    ):
        assert one.keys() == other.keys()
        for name, tensor in one.items():
            assert torch.equal(tensor, other[name]), name


def test_a_missing_mean_latent_is_that_of_the_mapping_network() -> None:
    tensors = rosinality_tensors()
    generator = from_rosinality(tensors, None)
    w = plain.mapping(tensors, torch.randn(100_000, 8))
    # The standard error of either mean is below a hundredth of the codes' spread.
    assert float(((generator.mapping.mean - w.mean(0)) / w.std(0)).abs().max()) < 0.05


def test_a_mean_latent_for_every_row_is_taken_where_all_rows_agree() -> None:
    tensors, mean = rosinality_tensors(), torch.randn(8)
    generator = from_rosinality(tensors, mean.repeat(8, 1))
    assert torch.equal(generator.mapping.mean, mean)
    assert torch.equal(generator.mean_code(), mean.repeat(8, 1))
    rows = from_rosinality(tensors, torch.randn(8, 8)).mapping.mean
    assert torch.equal(rows, from_rosinality(tensors, None).mapping.mean)


def test_z_may_be_wider_than_w() -> None:
    tensors = rosinality_tensors()
    tensors["style.1.weight"] = 100 * torch.randn(8, 20)
    generator = from_rosinality(tensors, None)
    z = torch.randn(2, 20)
    assert generator.config.z_width == 20
    assert relative(generator.mapping(z), plain.mapping(tensors, z)) < 1e-4


def test_half_precision_weights_become_float32() -> None:
    tensors = {name: tensor.half() for name, tensor in rosinality_tensors().items()}
    state = from_rosinality(tensors, None).state_dict()
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}


def test_a_missing_a_misshapen_and_an_unknown_tensor_are_named() -> None:
    tensors = rosinality_tensors()
    missing = {name: tensor for name, tensor in tensors.items() if name != "convs.1.activate.bias"}
    with pytest.raises(
        DamagedFile, match=r"^file: expected a tensor 'convs\.1\.activate\.bias', found none$"
    ):
        from_rosinality(missing, None)
    wide = {**tensors, "convs.1.activate.bias": torch.zeros(11)}
    with pytest.raises(DamagedFile, match=r"convs\.1\.activate\.bias: expected shape \[10\], got \[11\]"):
        from_rosinality(wide, None)
    with pytest.raises(DamagedFile, match="unknown tensor 'extra'"):
        from_rosinality({**tensors, "extra": torch.zeros(1)}, None)


def test_another_blur_filter_is_refused() -> None:
    tensors = {**rosinality_tensors(), "convs.0.conv.blur.kernel": torch.ones(4, 4)}
    with pytest.raises(
        UnsupportedFile, match=r"convs\.0\.conv\.blur\.kernel: expected the filter \[1, 3, 3, 1\]"
    ):
        from_rosinality(tensors, None)


def test_what_nvidia_makes_but_a_pack_cannot_hold_is_refused_with_the_reason() -> None:
    tensors = nvlabs_tensors(rosinality_tensors(), torch.zeros(8))
    with pytest.raises(UnsupportedFile, match=r"class-conditional generator \(10 classes\)"):
        from_nvlabs({**tensors, "mapping.embed.weight": torch.zeros(8, 10)})
    with pytest.raises(UnsupportedFile, match="skip architecture"):
        from_nvlabs({**tensors, "synthesis.b8.skip.weight": torch.zeros(8, 10, 1, 1)})
