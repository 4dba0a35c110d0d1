"""Encoders of the pSp family and ArcFace, under their published names.

Widths, units and the images' side are read off the shapes; six channels of input make an encoder
iterative. What kind one is: `relatent_export.families.encoder_kinds`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families.backbones import (
    State,
    axes,
    dense_state,
    ir_se_shape,
    ir_se_state,
    norm_state,
    resnet_shape,
    resnet_state,
)
from relatent_export.families.encoder_kinds import count_halvings, count_rows, find_kind
from relatent_export.families.named import NamedTensors
from relatent_export.nets.arcface import ArcFace, ArcFaceConfig
from relatent_export.nets.assigning import assign
from relatent_export.nets.gradual_style import (
    COARSE_ROWS,
    MIDDLE_ROWS,
    STRIDE,
    Backbone,
    GradualStyleConfig,
    GradualStyleEncoder,
    Reading,
)
from relatent_export.nets.ir_se import STAGES
from relatent_export.nets.resampling import area_downsample
from relatent_export.nets.restyle import CHANNELS, ITERATIONS, ReStyleConfig, ReStyleEncoder
from relatent_export.nets.stylegan1 import StyleGAN1
from relatent_export.nets.stylegan2 import Generator

Tensors = Mapping[str, Tensor]
Options = Mapping[str, Any]

_POOLED_SIDE = 256
"""Side of the images of an encoder that averages a map; less where the generator's are smaller."""

_ALWAYS_FROM_MEAN = "WEncoder"
"""HyperStyle's encoder, whose code does not ask the option."""

_MOST_HALVINGS, _MOST_ITERATIONS = 6, 20
"""What no published encoder comes near to, and a damaged file might."""


def encoder_config(
    tensors: Tensors, options: Options, layers: int, what: str = "encoder"
) -> GradualStyleConfig | ReStyleConfig:
    """Read the shape of an encoder off its tensors and options.

    Args:
        tensors: `input_layer.*` or `conv1.*`, `bn1.*` and `relu.*`; `body.*`; `styles.*` and
            `latlayer{1,2}.*`, or `linear.*`.
        options: of the checkpoint: `encoder_type`; `n_iters_per_batch` and `dataset_type` if there are.
        layers: rows of the generator's codes; 0 if they are not known, where one code is read for all.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing or misshapen, or the options contradict the tensors.
        UnsupportedFile: it is of a kind that is not supported, or for another generator.
    """
    named = NamedTensors(tensors, what)
    kind, letterboxed = find_kind(named, options, what), options.get("dataset_type") == "cars_encode"
    shape = ir_se_shape(named, what) if kind.backbone is Backbone.IR_SE else resnet_shape(named, what)
    if kind.reading is Reading.POOLED:
        side, rows = min(_POOLED_SIDE, 2 << (layers // 2)) if layers else _POOLED_SIDE, layers
        width = axes(named, "linear.weight", 2, what)[0]
    else:
        halvings, rows = count_halvings(named, 0), count_rows(named)
        side, width = STRIDE << halvings, axes(named, "styles.0.linear.weight", 2, what)[0]
        least = 2 if letterboxed else 1
        if not least <= halvings <= _MOST_HALVINGS:
            expected = f"{least} to {_MOST_HALVINGS} convolutions"
            raise UnsupportedFile(f"{what}: styles.0: expected {expected}, got {halvings}")
    if rows != layers:
        raise UnsupportedFile(f"{what}: gives codes of {rows} rows, and the generator takes {layers}")
    fields = {
        **shape,
        "resolution": side,
        "layers": layers,
        "latent_width": width,
        "backbone": kind.backbone,
        "reading": kind.reading,
        "progressive": kind.progressive,
        "letterboxed": letterboxed,
    }
    if shape["channels"] == CHANNELS:
        return ReStyleConfig(**fields, iterations=_iterations(options, what))
    if shape["channels"] != 3:
        raise UnsupportedFile(
            f"{what}: takes {shape['channels']} channels: expected 3, an image, or {CHANNELS}, an image and "
            "its reconstruction; encoders of sketches and label maps are not supported"
        )
    return GradualStyleConfig(**fields)


def _iterations(options: Options, what: str) -> int:
    iterations = options.get("n_iters_per_batch", ITERATIONS)
    if not isinstance(iterations, int) or not 1 <= iterations <= _MOST_ITERATIONS:
        raise DamagedFile(
            f"{what}: opts: n_iters_per_batch: expected 1 to {_MOST_ITERATIONS}, got {iterations!r}"
        )
    return iterations


def encoder_from(
    tensors: Tensors,
    latent_avg: Tensor | None,
    options: Options,
    generator: Generator | StyleGAN1,
    what: str = "encoder",
) -> GradualStyleEncoder | ReStyleEncoder:
    """Build an encoder.

    Args:
        tensors: as `encoder_config` takes them, with nothing beside.
        latent_avg: the mean latent of the checkpoint, [D] or [L, D].
        options: of the checkpoint; where `start_from_latent_avg` is false, no mean latent is added, but
            iterative encoders and HyperStyle's always start from it.
        generator: that the codes are for; makes an iterative encoder's first image.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, misshapen or not known, or the options contradict the tensors.
        UnsupportedFile: it is of a kind that is not supported, or for another generator.
    """
    layers, width = generator.config.layers, generator.config.latent_width
    config = encoder_config(tensors, options, layers, what)
    if config.latent_width != width:
        raise UnsupportedFile(
            f"{what}: gives rows of {config.latent_width} numbers, the generator takes {width}"
        )
    state = _state(tensors, config, latent_avg, options, what)
    if isinstance(config, ReStyleConfig):
        state = {f"network.{name}": tensor for name, tensor in state.items()}
        state["average"] = _average_image(state["network.mean"], config, generator, what)
    # On the meta device nothing is drawn at random, nor does a network wait in memory for its weights.
    with torch.device("meta"):
        network = ReStyleEncoder(config) if isinstance(config, ReStyleConfig) else GradualStyleEncoder(config)
    assign(network, state)
    return network


def check_encoder(
    tensors: Tensors, latent_avg: Tensor | None, options: Options, layers: int, what: str = "encoder"
) -> None:
    """Check an encoder that came without its generator, by all that it does not take that to tell.

    Args:
        tensors: as for `encoder_from`.
        latent_avg: likewise.
        options: likewise.
        layers: rows of its codes; 0 if that is not known.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile, UnsupportedFile: as `encoder_from`.
    """
    config = encoder_config(tensors, options, layers, what)
    _state(tensors, config, latent_avg if layers else torch.zeros(config.latent_width), options, what)


def _state(
    tensors: Tensors, config: GradualStyleConfig, latent_avg: Tensor | None, options: Options, what: str
) -> State:
    """Take all of an encoder's tensors."""
    named = NamedTensors(tensors, what)
    named.drop(r".*\.num_batches_tracked")
    starts_from_mean = options.get("start_from_latent_avg", latent_avg is not None)
    if isinstance(config, ReStyleConfig) or options.get("encoder_type") == _ALWAYS_FROM_MEAN:
        starts_from_mean = True
    state = _encoder_state(named, config)
    mean = latent_avg if starts_from_mean else torch.zeros(config.latent_width)
    state["mean"] = _mean_rows(mean, config, what)
    named.finish()
    return state


def _encoder_state(named: NamedTensors, config: GradualStyleConfig) -> State:
    take = ir_se_state if config.backbone is Backbone.IR_SE else resnet_state
    state, top, width = take(named, config, "backbone"), config.widths[-1], config.latent_width
    if config.reading is Reading.POOLED:
        return state | dense_state(named, "linear", "heads.0", top, width)
    halvings = int(math.log2(config.resolution // STRIDE))
    for row in range(config.layers):
        deeper = (row >= COARSE_ROWS) + (row >= MIDDLE_ROWS) if config.reading is Reading.PYRAMID else 0
        for i in range(halvings + deeper):
            theirs, ours = f"styles.{row}.convs.{2 * i}", f"heads.{row}.convs.{i}"
            state[f"{ours}.weight"] = named.take(f"{theirs}.weight", (width, top if i == 0 else width, 3, 3))
            state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (width,))
        state |= dense_state(named, f"styles.{row}.linear", f"heads.{row}.dense", width, width)
    if config.reading is Reading.PYRAMID:
        for i in range(2):
            inputs = config.widths[-2 - i]
            state[f"laterals.{i}.weight"] = named.take(f"latlayer{i + 1}.weight", (top, inputs, 1, 1))
            state[f"laterals.{i}.bias"] = named.take(f"latlayer{i + 1}.bias", (top,))
    return state


def _mean_rows(latent_avg: Tensor | None, config: GradualStyleConfig, what: str) -> Tensor:
    """The mean latent, a row for each layer."""
    layers, width = config.layers, config.latent_width
    if not isinstance(latent_avg, Tensor):
        raise DamagedFile(f"{what}: expected a tensor 'latent_avg', which its codes start from, found none")
    found = list(latent_avg.shape)
    if found[-1:] != [width] or latent_avg.numel() not in (width, layers * width):
        raise DamagedFile(f"{what}: latent_avg: expected shape {[width]} or {[layers, width]}, got {found}")
    return latent_avg.to(torch.float32).reshape(-1, width).expand(layers, -1).clone()


@torch.no_grad()
def _average_image(
    mean: Tensor, config: ReStyleConfig, generator: Generator | StyleGAN1, what: str
) -> Tensor:
    """The mean latent's image at the encoder's size."""
    if generator.config.resolution % config.resolution:
        raise UnsupportedFile(
            f"{what}: compares images of {config.resolution} pixels on a side, and the generator's have "
            f"{generator.config.resolution}"
        )
    image: Tensor = area_downsample(generator.synthesis(mean[None]), config.resolution)[0]
    return image


def identity_config(tensors: Tensors, what: str = "identity network") -> ArcFaceConfig:
    """Read the shape of an identity network off its tensors.

    Args:
        tensors: `input_layer.*`, `body.*`, `output_layer.{0,3,4}.*`.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
        UnsupportedFile: there are not four stages.
    """
    named = NamedTensors(tensors, what)
    shape = ir_se_shape(named, what)
    embedding, inputs = axes(named, "output_layer.3.weight", 2, what)
    width = shape["widths"][-1]
    side = math.isqrt(inputs // width)
    if side == 0 or side * side * width != inputs:
        raise DamagedFile(
            f"{what}: output_layer.3.weight: expected inputs of {width} square maps, got {inputs}"
        )
    if shape["channels"] != 3:
        raise UnsupportedFile(f"{what}: takes {shape['channels']} channels: expected 3, an image")
    return ArcFaceConfig(**shape, side=side << STAGES, embedding=embedding)


def identity_from(tensors: Tensors, what: str = "identity network") -> ArcFace:
    """Build an identity network.

    Args:
        tensors: as `identity_config` takes them, with nothing beside.
        what: what they are, for errors; begins with the file.

    Raises:
        DamagedFile: a tensor is missing, misshapen or not known.
        UnsupportedFile: there are not four stages.
    """
    config = identity_config(tensors, what)
    named = NamedTensors(tensors, what)
    named.drop(r".*\.num_batches_tracked")
    width, maps = config.widths[-1], config.side >> STAGES
    state = ir_se_state(named, config, "backbone")
    state |= norm_state(named, "output_layer.0", "norm_in", width)
    state |= dense_state(named, "output_layer.3", "dense", width * maps * maps, config.embedding)
    state |= norm_state(named, "output_layer.4", "norm_out", config.embedding)
    named.finish()
    with torch.device("meta"):
        network = ArcFace(config)
    assign(network, state)
    return network
