"""Published feature networks measure what the published equations say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile, UnsupportedFile
from relatent_export.families import perceptual
from relatent_export.families.family import Part
from relatent_export.nets.lpips import Lpips, Stack
from tests.export.families import plain_perceptual as plain
from tests.fixtures.checkpoints.perceptual import (
    ALEXNET,
    ALEXNET_COMPARED,
    VGG16,
    VGG16_COMPARED,
    alexnet_tensors,
    idinvert_vgg16_tensors,
    lpips_tensors,
    vgg16_tensors,
    whole_lpips_tensors,
)

Tensors = dict[str, Tensor]


def build(*files: Tensors) -> Lpips:
    return perceptual.build([Part("file", tensors) for tensors in files])


def images(side: int) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(7)
    one = torch.rand(3, 3, side, side, generator=random) * 2 - 1
    return one, (one + 0.3 * torch.randn(one.shape, generator=random)).clamp(-1, 1)


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


def ones(widths: tuple[int, ...]) -> list[Tensor]:
    return [torch.ones(width) for width in widths]


@pytest.mark.parametrize("side", [32, 45])
def test_vgg16_with_linear_weights_measures_lpips(side: int) -> None:
    stack, linear, (one, other) = vgg16_tensors(), lpips_tensors(), images(side)
    a, b = (plain.vgg16_maps(plain.scaled(x), stack, "features.{i}") for x in (one, other))
    expected = plain.distances(a, b, list(linear.values())).sum(1)
    network = build(stack, linear)
    assert network.config.stack is Stack.VGG16
    assert network.config.channels == tuple(VGG16.values())
    assert relative(network(one, other), expected) < 1e-4
    for ours, theirs in zip(network.features(one), a, strict=True):
        assert relative(ours, theirs) < 1e-4
    assert network.map_sizes(side) == tuple(x.shape[-1] for x in a)


@pytest.mark.parametrize("side", [64, 77])
def test_alexnet_with_linear_weights_measures_lpips(side: int) -> None:
    stack, linear, (one, other) = alexnet_tensors(), lpips_tensors(ALEXNET_COMPARED), images(side)
    a, b = (plain.alexnet_maps(plain.scaled(x), stack, "features.{i}") for x in (one, other))
    expected = plain.distances(a, b, list(linear.values())).sum(1)
    network = build(linear, stack)
    assert network.config.stack is Stack.ALEXNET
    assert network.config.channels == tuple(ALEXNET.values())
    assert relative(network(one, other), expected) < 1e-4
    assert network.map_sizes(side) == tuple(x.shape[-1] for x in a)


def test_without_linear_weights_all_channels_and_maps_count_alike() -> None:
    stack, (one, other) = vgg16_tensors(), images(32)
    a, b = (plain.vgg16_maps(plain.scaled(x), stack, "features.{i}") for x in (one, other))
    expected = plain.distances(a, b, ones(VGG16_COMPARED)).mean(1)
    network = build(stack)
    assert not network.config.calibrated
    assert relative(network(one, other), expected) < 1e-4


def test_in_domain_inversions_vgg16_sees_blue_first_and_pixels_of_255() -> None:
    stack, (one, other) = idinvert_vgg16_tensors(), images(32)
    a, b = (plain.vgg16_maps(plain.keras_scaled(x), stack, "layer{i}") for x in (one, other))
    network = build(stack)
    for ours, theirs in zip(network.features(one), a, strict=True):
        assert relative(ours, theirs) < 1e-4
    expected = plain.distances(a, b, ones(VGG16_COMPARED)).mean(1)
    assert relative(network(one, other), expected) < 1e-4


@pytest.mark.parametrize(
    ("stack", "widths"), [(vgg16_tensors(), VGG16_COMPARED), (alexnet_tensors(), ALEXNET_COMPARED)]
)
def test_a_whole_network_is_its_stack_and_its_linear_weights(stack: Tensors, widths: tuple[int, ...]) -> None:
    linear = lpips_tensors(widths)
    parts, whole = build(stack, linear), build(whole_lpips_tensors(stack, linear))
    undropped = build(stack, lpips_tensors(widths, dropout=False))
    assert whole.config == parts.config == undropped.config
    for name, tensor in parts.state_dict().items():
        assert torch.equal(tensor, whole.state_dict()[name]), name
        assert torch.equal(tensor, undropped.state_dict()[name]), name


def test_a_whole_networks_own_preprocessing_is_kept() -> None:
    whole = whole_lpips_tensors(vgg16_tensors(), {})
    whole["scaling_layer.shift"] = torch.full((1, 3, 1, 1), 0.25)
    assert torch.equal(build(whole).shift, whole["scaling_layer.shift"])


def test_what_is_published_is_recognised_by_what_it_holds() -> None:
    linear = lpips_tensors()
    for tensors in (vgg16_tensors(), alexnet_tensors(), linear, idinvert_vgg16_tensors()):
        assert perceptual.holds_features(Part("file", tensors))
    assert perceptual.holds_features(Part("file", whole_lpips_tensors(alexnet_tensors(), {})))
    generator = {"layer0.weight": torch.ones(4, 3, 3, 3), "output0.bias": torch.ones(3)}
    assert not perceptual.holds_features(Part("file", generator))


def without(tensors: Tensors, name: str) -> Tensors:
    return {key: tensor for key, tensor in tensors.items() if key != name}


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        (
            without(vgg16_tensors(), "features.19.bias"),
            DamagedFile,
            "a tensor 'features.19.bias', found none",
        ),
        (
            {**vgg16_tensors(), "features.5.weight": torch.ones(5, 7, 3, 3)},
            DamagedFile,
            r"features.5.weight: expected shape \[5, 6, 3, 3\], got \[5, 7, 3, 3\]",
        ),
        (
            {**vgg16_tensors(), "features.1.weight": torch.ones(4)},
            DamagedFile,
            "unknown tensor 'features.1.weight'",
        ),
        (
            {**vgg16_tensors(), "features.0.weight": torch.ones(4)},
            DamagedFile,
            r"features.0.weight: expected 4 axes, none empty, got shape \[4\]",
        ),
        (
            {"features.0.weight": torch.ones(64, 3, 7, 7)},
            UnsupportedFile,
            "kernels of 3 pixels, VGG16's, or 11, AlexNet's, got 7",
        ),
        (
            {"features.0.weight": torch.ones(64, 3, 3, 3), "features.3.squeeze.weight": torch.ones(1)},
            UnsupportedFile,
            "SqueezeNet's",
        ),
        (lpips_tensors((6, 8, 6, 9, 8, 4, 4)), UnsupportedFile, "SqueezeNet's"),
        ({"conv1.weight": torch.ones(1), "a": torch.ones(1)}, UnknownFile, "found a, conv1.weight"),
        (lpips_tensors(), Refused, "expected one VGG16 or AlexNet, got 0"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(
    tensors: Tensors, error: type[Refused], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        perceptual.build([Part("some.pth", tensors)])
    assert str(caught.value).startswith("some.pth: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ([vgg16_tensors(), alexnet_tensors()], Refused, "1, 2: expected one VGG16 or AlexNet, got 2"),
        (
            [whole_lpips_tensors(vgg16_tensors(), lpips_tensors()), lpips_tensors()],
            Refused,
            "1, 2: expected linear weights once at most, got them 2 times",
        ),
        (
            [vgg16_tensors(), lpips_tensors(ALEXNET_COMPARED)],
            UnsupportedFile,
            r"2: linear weights for maps of channels \[6, 8, 7, 5, 6\], and vgg16 has \[6, 8, 6, 9, 8\]",
        ),
        (
            [idinvert_vgg16_tensors(), lpips_tensors()],
            UnsupportedFile,
            "2: linear weights belong to torchvision's VGG16, and 1 is Keras's",
        ),
        (
            [vgg16_tensors(), {**lpips_tensors(), "lin2.model.1.weight": torch.full((1, 6, 1, 1), -0.5)}],
            DamagedFile,
            r"2: lin2.model.1.weight: expected no negative weights, got -0.5",
        ),
        (
            [vgg16_tensors(), without(lpips_tensors(), "lin4.model.1.weight")],
            DamagedFile,
            "2: expected a tensor 'lin4.model.1.weight', found none",
        ),
        (
            [vgg16_tensors(), {**lpips_tensors(), "extra": torch.ones(1)}],
            DamagedFile,
            "2: unknown tensor 'extra'",
        ),
    ],
)
def test_files_that_do_not_belong_together_are_refused(
    files: list[Tensors], error: type[Refused], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        perceptual.build([Part(what, tensors) for what, tensors in zip(("1", "2"), files, strict=True)])
