"""Encoders and identity networks are recognised by their tensors, and refused with a reason.

That what is built computes the published equations: `tests/export/nets`.
"""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families import arcface
from relatent_export.families.family import Part
from relatent_export.families.shared.gradual_style import build_encoder, encoder_config
from relatent_export.nets.arcface import ArcFaceConfig
from relatent_export.nets.gradual_style import Backbone, Reading
from relatent_export.nets.restyle import ReStyleConfig
from relatent_export.nets.stylegan2 import Generator, GeneratorConfig
from tests.fixtures.checkpoints.encoders import (
    REDUCTION,
    UNITS,
    WIDTHS,
    Tensors,
    arcface_shapes,
    arcface_tensors,
    head_shapes,
    ir_se_encoder_tensors,
    ir_se_shapes,
    resnet_encoder_tensors,
)

FULL = (64, 64, 128, 256, 512), (3, 4, 14, 3)
E4E = {"encoder_type": "Encoder4Editing"}
BACKBONE = {"encoder_type": "BackboneEncoder"}


@pytest.fixture(scope="module")
def generator() -> Generator:
    """Ten rows of eight numbers."""
    return Generator(GeneratorConfig(64, 8, 1, (4, 4, 4, 4, 4)))


@pytest.fixture(scope="module")
def mean() -> Tensor:
    return torch.randn(8)


def on_meta(shapes: dict[str, tuple[int, ...]]) -> Tensors:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def test_the_published_e4e_encoder_has_621_tensors_of_267_million_parameters() -> None:
    """The fixtures' layout, in full, is the one that was read off the published file."""
    shapes = {**ir_se_shapes(*FULL, 3, 16), **head_shapes(FULL[0], 18, 512, 256, pyramid=True)}
    assert len(shapes) == 621
    counted = {name: math.prod(shape) for name, shape in shapes.items() if "num_batches" not in name}
    assert round(sum(counted.values()) / 1e6, 1) == 267.2
    config = encoder_config(Part("file", on_meta(shapes), options=E4E), 18)
    assert (config.channels, config.units, config.image_channels, config.reduction) == (*FULL, 3, 16)
    assert (config.resolution, config.layers, config.latent_width) == (256, 18, 512)


def test_the_published_identity_network_looks_at_112_pixels() -> None:
    config = arcface.identity_config(Part("file", on_meta(arcface_shapes(*FULL, 16, 112, 512))))
    assert config == ArcFaceConfig(channels=FULL[0], units=FULL[1], resolution=112, embedding=512)


@pytest.mark.parametrize(
    ("tensors", "kind", "backbone", "reading", "progressive"),
    [
        (ir_se_encoder_tensors(10), "GradualStyleEncoder", Backbone.IR_SE, Reading.PYRAMID, False),
        (ir_se_encoder_tensors(10), "Encoder4Editing", Backbone.IR_SE, Reading.PYRAMID, True),
        (resnet_encoder_tensors(10), "ResNetBackboneEncoder", Backbone.RESNET, Reading.COARSEST, False),
        (ir_se_encoder_tensors(10, pooled=True), None, Backbone.IR_SE, Reading.POOLED, False),
    ],
)
def test_a_kind_is_known_by_its_tensors_and_its_type(
    tensors: Tensors, kind: str | None, backbone: Backbone, reading: Reading, progressive: bool
) -> None:
    config = encoder_config(Part("file", tensors, options={} if kind is None else {"encoder_type": kind}), 10)
    assert (config.backbone, config.reading, config.progressive) == (backbone, reading, progressive)
    assert (config.channels, config.units, config.latent_width) == (WIDTHS, UNITS, 8)


@pytest.mark.parametrize(("resolution", "styles"), [(32, 8), (64, 10), (128, 12)])
def test_side_and_rows_are_read_off_the_heads(resolution: int, styles: int) -> None:
    config = encoder_config(
        Part("file", ir_se_encoder_tensors(styles, resolution=resolution), options=E4E), styles
    )
    assert (config.resolution, config.layers, config.reduction) == (resolution, styles, REDUCTION)


def test_six_channels_make_an_encoder_iterative() -> None:
    tensors = ir_se_encoder_tensors(10, channels=6, pyramid=False)
    config = encoder_config(Part("file", tensors, options=BACKBONE), 10)
    assert isinstance(config, ReStyleConfig)
    assert config.iterations == 5
    given = encoder_config(Part("file", tensors, options={**BACKBONE, "n_iters_per_batch": 3}), 10)
    assert isinstance(given, ReStyleConfig)
    assert given.iterations == 3


def test_an_encoder_is_frozen_and_all_there(generator, mean) -> None:
    """Built without memory for weights that are replaced: none may be left without numbers."""
    for tensors, options in (
        (ir_se_encoder_tensors(10), E4E),
        (ir_se_encoder_tensors(10, channels=6, pyramid=False), BACKBONE),
    ):
        network = build_encoder(Part("file", tensors, mean, options), generator)
        assert not network.training
        for tensor in (*network.parameters(), *network.buffers()):
            assert not tensor.is_meta
            assert not tensor.requires_grad
    assert not any(tensor.is_meta for tensor in arcface.build(Part("file", arcface_tensors())).parameters())


def test_weights_are_taken_without_a_copy(generator, mean) -> None:
    tensors = ir_se_encoder_tensors(10)
    network = build_encoder(Part("file", tensors, mean, E4E), generator)
    addresses = {parameter.data_ptr() for parameter in network.parameters()}
    assert tensors["styles.9.convs.6.weight"].data_ptr() in addresses


def changed(tensors: Tensors, change: dict[str, Tensor | None]) -> Tensors:
    kept = {name: tensor for name, tensor in tensors.items() if name not in change}
    return {**kept, **{name: tensor for name, tensor in change.items() if tensor is not None}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"body.3.res_layer.4.running_var": None}, "expected a tensor 'body.3.res_layer.4.running_var'"),
        ({"latlayer2.bias": None}, "expected a tensor 'latlayer2.bias'"),
        (
            {"styles.4.convs.2.bias": torch.zeros(9)},
            r"styles.4.convs.2.bias: expected shape \[8\], got \[9\]",
        ),
        (
            {"styles.2.convs.4.weight": torch.zeros(8, 8, 3, 3)},
            "unknown tensor 'styles.2.convs.4",
        ),
        ({"texture.weight": torch.zeros(1)}, "unknown tensor 'texture.weight'"),
        ({"input_layer.0.weight": torch.zeros(4, 3)}, "input_layer.0.weight: expected 4 axes"),
        ({"styles.0.linear.weight": None}, "expected a tensor 'styles.0.linear.weight'"),
        (
            {"body.0.res_layer.5.fc1.weight": torch.zeros(1, 40, 1, 1)},
            "body.0.res_layer.5.fc1.weight: expected gates narrower by 1 to 4, got 40",
        ),
    ],
)
def test_tensors_that_are_missing_misshapen_or_left_over_are_named(
    change: dict[str, Tensor | None], message: str, generator, mean
) -> None:
    tensors = changed(ir_se_encoder_tensors(10), change)
    with pytest.raises(DamagedFile, match=f"^model.pt: encoder: {message}"):
        build_encoder(Part("model.pt: encoder", tensors, mean, E4E), generator)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "opts: expected an 'encoder_type', got none: the tensors do not tell"),
        ({"encoder_type": "SwinEncoder"}, "encoder_type 'SwinEncoder' is not supported"),
        ({"encoder_type": ["x"]}, r"encoder_type \['x'\] is not supported"),
        (
            {"encoder_type": "BackboneEncoderUsingLastLayerIntoWPlus"},
            "encoder_type 'BackboneEncoderUsingLastLayerIntoWPlus' is not supported",
        ),
    ],
)
def test_a_kind_that_is_not_supported_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedFile, match=f"^model.pt: {message}"):
        encoder_config(Part("model.pt", ir_se_encoder_tensors(10), options=options), 10)


@pytest.mark.parametrize(
    ("tensors", "options", "message"),
    [
        (ir_se_encoder_tensors(10), BACKBONE, "BackboneEncoder: expected a backbone ir_se read as coarsest"),
        (resnet_encoder_tensors(10), BACKBONE, "BackboneEncoder: .* got tensors of a backbone resnet"),
        (
            ir_se_encoder_tensors(10, channels=6, pyramid=False),
            {**BACKBONE, "n_iters_per_batch": "many"},
            "n_iters_per_batch: expected 1 to 20, got 'many'",
        ),
    ],
)
def test_options_that_contradict_the_tensors_are_told(
    tensors: Tensors, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DamagedFile, match=message):
        encoder_config(Part("file", tensors, options=options), 10)


@pytest.mark.parametrize(
    ("resolution", "options"), [(2048, E4E), (32, {**E4E, "dataset_type": "cars_encode"})]
)
def test_heads_for_images_of_absurd_size_are_refused(resolution: int, options: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedFile, match=r"styles.0: expected [12] to 6 convolutions, got"):
        encoder_config(Part("file", ir_se_encoder_tensors(10, resolution=resolution), options=options), 10)


def test_an_encoder_for_another_generator_is_refused(generator, mean) -> None:
    with pytest.raises(UnsupportedFile, match="gives codes of 12 layers, and the generator takes 10"):
        build_encoder(Part("file", ir_se_encoder_tensors(12), mean, E4E), generator)
    with pytest.raises(UnsupportedFile, match="gives layers of 6 numbers, the generator takes 8"):
        build_encoder(Part("file", ir_se_encoder_tensors(10, width=6), mean, E4E), generator)
    larger = ir_se_encoder_tensors(10, channels=6, pyramid=False, resolution=128)
    with pytest.raises(UnsupportedFile, match="compares images of 128 pixels on a side"):
        build_encoder(Part("file", larger, mean, BACKBONE), generator)


def test_an_encoder_of_label_maps_is_refused() -> None:
    with pytest.raises(UnsupportedFile, match="takes 19 channels: expected 3, an image, or 6"):
        encoder_config(Part("file", ir_se_encoder_tensors(10, channels=19), options=E4E), 10)


def test_a_backbone_whose_stages_cannot_be_told_apart_is_refused() -> None:
    tensors = {
        name: tensor for name, tensor in ir_se_encoder_tensors(10).items() if not name.startswith("body.5.")
    }
    with pytest.raises(
        UnsupportedFile, match="expected a backbone of 4 stages, each of other channels, got 3"
    ):
        encoder_config(Part("file", tensors, options=E4E), 10)


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (None, {**E4E, "start_from_latent_avg": True}, "expected a tensor 'latent_avg'"),
        (torch.zeros(18, 8), E4E, r"latent_avg: expected shape \[8\] or \[10, 8\], got \[18, 8\]"),
    ],
)
def test_a_mean_latent_that_is_missing_or_misshapen_is_told(
    given: Tensor | None, options: dict[str, Any], message: str, generator
) -> None:
    with pytest.raises(DamagedFile, match=message):
        build_encoder(Part("file", ir_se_encoder_tensors(10), given, options), generator)


def test_an_iterative_encoder_starts_from_the_mean_whatever_the_options_say(generator) -> None:
    tensors = ir_se_encoder_tensors(10, channels=6, pyramid=False)
    with pytest.raises(DamagedFile, match="expected a tensor 'latent_avg'"):
        build_encoder(Part("file", tensors, None, {**BACKBONE, "start_from_latent_avg": False}), generator)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output_layer.4.bias": None}, "expected a tensor 'output_layer.4.bias'"),
        (
            {"output_layer.3.weight": torch.zeros(12, 50)},
            "output_layer.3.weight: expected inputs of 10 square",
        ),
        (
            {"styles.0.linear.weight": torch.zeros(8, 8)},
            "unknown tensor 'styles.0.linear.weight'",
        ),
    ],
)
def test_a_damaged_identity_network_is_told(change: dict[str, Tensor | None], message: str) -> None:
    with pytest.raises(DamagedFile, match=f"^ir.pth: {message}"):
        arcface.build(Part("ir.pth", changed(arcface_tensors(), change)))
