"""The networks against plain, slow formulations of the published equations."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from relatent_export.demo.world import demo_parts
from relatent_export.nets.encoder import Encoder
from relatent_export.nets.layers import EqualizedConv, fir_kernel
from relatent_export.nets.modulation import Maps, ModulatedConv, SynthesisLayer, ToRGB
from relatent_export.nets.networks import Networks
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from relatent_export.packs.weights import load_networks, save_networks
from tests.fixtures.small import SMALL


def filter_by_hand(x: Tensor, gain: float) -> Tensor:
    """[1, 3, 3, 1] along both axes, on an input padded by 2 before and 1 after."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8 * math.sqrt(gain)
    x = F.pad(x, (2, 1, 2, 1))
    x = sum(taps[i] * x[:, :, i : x.shape[2] - 3 + i] for i in range(4))  # type: ignore[assignment]
    return sum(taps[i] * x[:, :, :, i : x.shape[3] - 3 + i] for i in range(4))  # type: ignore[return-value]


def modulate_weights(conv: ModulatedConv, x: Tensor, w: Tensor, *, demodulate: bool = True) -> Tensor:
    """A weight for each sample, as the paper writes it; upsampling by inserting zeros."""
    style = conv.style(w)
    answers = []
    for sample, scale in zip(x, style, strict=True):
        weight = conv.weight * conv.gain * scale[None, :, None, None]
        if demodulate:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        image = sample[None]
        if conv.up:
            _, c, h, side = image.shape
            stretched = torch.zeros(1, c, 2 * h, 2 * side)
            stretched[:, :, ::2, ::2] = image
            # Full convolution with the kernel, then the filter, cropped to twice the side.
            full = F.conv2d(F.pad(stretched, (2, 2, 2, 2)), weight.flip(2, 3))
            image = filter_by_hand(full, 4.0)[:, :, 1 : 2 * h + 1, 1 : 2 * side + 1]
        else:
            image = F.conv2d(image, weight, padding=conv.padding)
        answers.append(image)
    return torch.cat(answers)


def assert_close(ours: Tensor, plain: Tensor) -> None:
    assert ours.shape == plain.shape
    assert float((ours - plain).abs().max()) <= 1e-4 * float(plain.abs().max())


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("up", [False, True])
@torch.no_grad()
def test_a_layer_equals_modulated_weights_noise_bias_and_activation(up: bool, noise: bool) -> None:
    """Whatever scale its inputs still owe, and with the scale its outputs owe taken."""
    torch.manual_seed(1)
    layer = SynthesisLayer(5, 7, 16 if up else 8, 4, up=up, noise=noise)
    layer.bias.normal_()
    x, w, owed = torch.randn(3, 5, 8, 8), torch.randn(3, 4), torch.rand(3, 5) + 0.5
    plain = modulate_weights(layer.conv, x * owed[:, :, None, None], w) + layer.bias[None, :, None, None]
    if layer.noise_strength is not None:
        layer.noise_strength.fill_(0.7)
        plain = plain + 0.7 * layer.noise
    plain = F.leaky_relu(plain, 0.2) * math.sqrt(2)
    values, scale = layer(Maps(x, owed), w)
    assert_close(values * scale[:, :, None, None], plain)


@torch.no_grad()
def test_a_colour_layer_modulates_without_demodulating_and_adds_to_the_coarser_image() -> None:
    torch.manual_seed(4)
    layer = ToRGB(5, 4)
    layer.bias.normal_()
    x, w, coarser = torch.randn(3, 5, 8, 8), torch.randn(3, 4), torch.randn(3, 3, 4, 4)
    stretched = torch.zeros(3, 3, 8, 8)
    stretched[:, :, ::2, ::2] = coarser
    owed = torch.rand(3, 5) + 0.5
    plain = modulate_weights(layer.conv, x * owed[:, :, None, None], w, demodulate=False)
    plain = plain + layer.bias[None, :, None, None] + filter_by_hand(stretched, 4.0)
    assert_close(layer(Maps(x, owed), w, coarser), plain)


def test_activation_gain_folded_into_a_convolution_changes_nothing() -> None:
    torch.manual_seed(2)
    conv = EqualizedConv(4, 6, 3)
    torch.nn.init.normal_(conv.get_parameter("bias"))
    x = torch.randn(2, 4, 8, 8)
    plain = F.conv2d(x, conv.weight / math.sqrt(4 * 9), conv.bias, padding=1)
    expected = F.leaky_relu(plain, 0.2) * math.sqrt(2)
    assert torch.allclose(conv(x), expected, atol=1e-5)


def test_fir_kernel_sums_to_its_gain() -> None:
    kernel = fir_kernel(3, 4.0)
    assert kernel.shape == (3, 1, 4, 4)
    assert torch.allclose(kernel.sum((2, 3)), torch.full((3, 1), 4.0))


def test_noise_is_constant_and_has_a_strength() -> None:
    torch.manual_seed(3)
    generator = Generator(GeneratorConfig(16, 8, 2, (8, 8, 4), noise=True))
    w = generator.broadcast(torch.randn(2, 8))
    silent = generator.synthesis(w)
    with torch.no_grad():
        for layer in generator.synthesis.layers:
            layer.get_parameter("noise_strength").fill_(0.5)
    loud = generator.synthesis(w)
    assert not torch.allclose(silent, loud)
    assert torch.equal(loud, generator.synthesis(w))


def test_truncation_goes_from_the_mean_to_the_code() -> None:
    generator = Generator(GeneratorConfig(16, 8, 2, (8, 8, 4)))
    generator.mapping.mean.normal_()
    w = torch.randn(2, 8)
    assert torch.allclose(generator.truncate(w, 0.0), generator.mapping.mean.expand(2, 8))
    assert torch.allclose(generator.truncate(w, 1.0), w)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"resolution": 48}, "resolution: expected a power of two"),
        ({"channels": (8,)}, "channels: expected 3"),
    ],
)
def test_a_generator_of_impossible_shape_is_refused(change: dict[str, object], message: str) -> None:
    shape: dict[str, object] = {
        "resolution": 16,
        "latent_width": 8,
        "mapping_layers": 2,
        "channels": (8, 8, 4),
    }
    with pytest.raises(ValueError, match=message):
        GeneratorConfig(**{**shape, **change})  # type: ignore[arg-type]


def test_revision_belongs_to_mapping_and_synthesis_alone(small: Networks, tmp_path: Path) -> None:
    before = small.revision
    save_networks(small, tmp_path)
    copy = load_networks(tmp_path)
    assert copy.revision == before
    with torch.no_grad():
        demo_parts(copy).encoder.base.dense.bias.add_(1)
    assert copy.revision == before
    with torch.no_grad():
        copy.generator.mapping.layers[0].get_parameter("bias")[0] += 1
    assert copy.revision != before


def test_networks_of_other_shapes_load_as_they_were_saved(small: Networks, tmp_path: Path) -> None:
    save_networks(small, tmp_path)
    copy = load_networks(tmp_path)
    mine, yours = demo_parts(copy), demo_parts(small)
    for ours, theirs in ((mine.encoder, yours.encoder), (mine.attributes, yours.attributes)):
        assert all(
            torch.equal(tensor, theirs.state_dict()[name]) for name, tensor in ours.state_dict().items()
        )
    assert mine.encoder.resolution == 32


def test_weights_that_do_not_fit_their_header_are_refused_by_file(small: Networks, tmp_path: Path) -> None:
    save_networks(small, tmp_path)
    path = tmp_path / "encoder.safetensors"
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["config"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, {"config": json.dumps(header | {"head": 9})})
    with pytest.raises(ValueError, match=r"encoder\.safetensors: weights and header do not fit"):
        load_networks(tmp_path)


def test_an_encoder_for_another_size_is_refused(small: Networks) -> None:
    mean = small.generator.mean_code()[0]
    large = Encoder(SMALL.layers, SMALL.latent_width, mean, channels=(8,) * 5, head=8)
    with pytest.raises(
        ValueError, match="encoder: expected a side of 32 pixels or a whole fraction of it, got 64"
    ):
        Networks(small.generator, large, small.attributes, small.attribute_names)


def test_the_demo_packs_weights_load_and_have_the_manifests_revision() -> None:
    from relatent.core.pack import read_pack
    from tests.export.conftest import ROOT

    assert load_networks(ROOT / "packs/demo").revision == read_pack(ROOT / "packs/demo").revision
