"""The layout that pSp began, and e4e, ReStyle, HyperStyle and GANInverter took over.

    encoder.*      a backbone and a head for each layer of the code
    decoder.*      rosinality's generator
    opts           what the training was told, `encoder_type` above all
    latent_avg     the mean latent, which the codes are offsets from

Channels, units and the images' resolution are read off the shapes; six channels of input make an encoder
iterative. What kind one is: `relatent_export.families.shared.encoder_kinds`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families.family import Marks, Part
from relatent_export.families.shared.backbones import (
    State,
    axes,
    dense_state,
    ir_se_shape,
    ir_se_state,
    resnet_shape,
    resnet_state,
)
from relatent_export.families.shared.encoder_kinds import count_halvings, count_heads, find_kind
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.assigning import assign
from relatent_export.nets.gradual_style import (
    COARSE_LAYERS,
    MIDDLE_LAYERS,
    STRIDE,
    Backbone,
    GradualStyleConfig,
    GradualStyleEncoder,
    Reading,
)
from relatent_export.nets.ir_se import IRSEConfig
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.resampling import area_downsample
from relatent_export.nets.restyle import CHANNELS, ITERATIONS, ReStyleConfig, ReStyleEncoder

MARKS: Marks = (
    ("input_layer.0.weight", "body.0.res_layer.1.weight"),
    ("relu.weight", "body.0.conv1.weight"),
)
"""Of an IR-SE backbone and of a ResNet."""

LICENCE = (
    "MIT for the code; weights trained on FFHQ and from NVIDIA's generator inherit their non-commercial terms"
)

_POOLED_RESOLUTION = 256
"""Of the images of an encoder that averages a map; less where the generator's are smaller."""

_ALWAYS_FROM_MEAN = "WEncoder"
"""HyperStyle's encoder, whose code does not ask the option."""

_MOST_HALVINGS, _MOST_ITERATIONS = 6, 20
"""What no published encoder comes near to, and a damaged file might."""


class _BackboneReader(NamedTuple):
    """How a backbone's shape is read off its tensors, and how they are taken."""

    shape: Callable[[NamedTensors, str], dict[str, Any]]
    state: Callable[[NamedTensors, IRSEConfig, str], State]


_BACKBONES = {
    Backbone.IR_SE: _BackboneReader(ir_se_shape, ir_se_state),
    Backbone.RESNET: _BackboneReader(resnet_shape, resnet_state),
}


def is_iterative(part: Part) -> bool:
    """Whether an encoder looks at more than an image: at its reconstruction, too."""
    entry = part.tensors.get("input_layer.0.weight", part.tensors.get("conv1.weight"))
    return entry is not None and entry.shape[1] > 3


def is_module_of_its_own(part: Part) -> bool:
    """Whether an encoder is a module around the network and the mean latent."""
    return part.place.endswith("encoder.encoder.")


def encoder_config(part: Part, layers: int | None) -> GradualStyleConfig | ReStyleConfig:
    """Read the shape of an encoder off its tensors and options.

    Args:
        part: `input_layer.*` or `conv1.*`, `bn1.*` and `relu.*`; `body.*`; `styles.*` and `latlayer{1,2}.*`,
            or `linear.*`. Of its options `encoder_type`, and `n_iters_per_batch` and `dataset_type` if there
            are.
        layers: of the generator's codes; None if it did not come with its generator.

    Raises:
        DamagedFile: a tensor is missing or misshapen, or the options contradict the tensors.
        UnsupportedFile: it is of a kind that is not supported, or for another generator.
    """
    what, options = part.what, part.options
    named, layers = NamedTensors(part.tensors, what), _layers_told(part) if layers is None else layers
    kind, letterboxed = find_kind(named, options, what), options.get("dataset_type") == "cars_encode"
    shape = _BACKBONES[kind.backbone].shape(named, what)
    if kind.reading is Reading.POOLED:
        # One code for all layers: their number is the generator's, and not known without it.
        resolution = min(_POOLED_RESOLUTION, 2 << (layers // 2)) if layers else _POOLED_RESOLUTION
        given, width = layers, axes(named, "linear.weight", 2, what)[0]
    else:
        halvings, given = count_halvings(named, 0), count_heads(named)
        resolution, width = STRIDE << halvings, axes(named, "styles.0.linear.weight", 2, what)[0]
        least = 2 if letterboxed else 1
        if not least <= halvings <= _MOST_HALVINGS:
            expected = f"{least} to {_MOST_HALVINGS} convolutions"
            raise UnsupportedFile(f"{what}: styles.0: expected {expected}, got {halvings}")
    if given != layers:
        raise UnsupportedFile(f"{what}: gives codes of {given} layers, and the generator takes {layers}")
    fields = {
        **shape,
        "resolution": resolution,
        "layers": layers,
        "latent_width": width,
        "backbone": kind.backbone,
        "reading": kind.reading,
        "progressive": kind.progressive,
        "letterboxed": letterboxed,
    }
    if shape["image_channels"] == CHANNELS:
        return ReStyleConfig(**fields, iterations=_iterations(options, what))
    if shape["image_channels"] != 3:
        raise UnsupportedFile(
            f"{what}: takes {shape['image_channels']} channels: expected 3, an image, or {CHANNELS}, an "
            "image and its reconstruction; encoders of sketches and label maps are not supported"
        )
    return GradualStyleConfig(**fields)


def _layers_told(part: Part) -> int:
    """The layers of an encoder's codes that came without its generator: its heads', or its mean latent's.

    0 where neither tells.
    """
    heads = sum(1 for name in part.tensors if re.fullmatch(r"styles\.\d+\.linear\.weight", name))
    if heads or part.latent_avg is None or part.latent_avg.ndim == 1:
        return heads
    return len(part.latent_avg)


def _iterations(options: Mapping[str, Any], what: str) -> int:
    iterations = options.get("n_iters_per_batch", ITERATIONS)
    if not isinstance(iterations, int) or not 1 <= iterations <= _MOST_ITERATIONS:
        raise DamagedFile(
            f"{what}: opts: n_iters_per_batch: expected 1 to {_MOST_ITERATIONS}, got {iterations!r}"
        )
    return iterations


def build_encoder(part: Part, generator: AnyGenerator) -> GradualStyleEncoder | ReStyleEncoder:
    """Build an encoder.

    Args:
        part: as `encoder_config` takes it, with nothing beside. Where the option `start_from_latent_avg` is
            false, no mean latent is added, but iterative encoders and HyperStyle's always start from it.
        generator: that the codes are for; makes an iterative encoder's first image.

    Raises:
        DamagedFile: a tensor is missing, misshapen or unknown, or the options contradict the tensors.
        UnsupportedFile: it is of a kind that is not supported, or for another generator.
    """
    layers, width = generator.config.layers, generator.config.latent_width
    config = encoder_config(part, layers)
    if config.latent_width != width:
        raise UnsupportedFile(
            f"{part.what}: gives layers of {config.latent_width} numbers, the generator takes {width}"
        )
    state = _state(part, config, part.latent_avg)
    if isinstance(config, ReStyleConfig):
        state = {f"network.{name}": tensor for name, tensor in state.items()}
        state["average"] = _average_image(state["network.mean"], config, generator, part.what)
    # On the meta device nothing is drawn at random, nor does a network wait in memory for its weights.
    with torch.device("meta"):
        network = ReStyleEncoder(config) if isinstance(config, ReStyleConfig) else GradualStyleEncoder(config)
    assign(network, state)
    return network


def check_encoder(part: Part) -> None:
    """Check an encoder that came without its generator, by all that it does not take that to tell.

    Raises:
        DamagedFile, UnsupportedFile: as `build_encoder`.
    """
    config = encoder_config(part, None)
    _state(part, config, part.latent_avg if config.layers else torch.zeros(config.latent_width))


def _state(part: Part, config: GradualStyleConfig, latent_avg: Tensor | None) -> State:
    """Take all of an encoder's tensors."""
    named = NamedTensors(part.tensors, part.what)
    named.drop(r".*\.num_batches_tracked")
    starts_from_mean = part.options.get("start_from_latent_avg", latent_avg is not None)
    if isinstance(config, ReStyleConfig) or part.options.get("encoder_type") == _ALWAYS_FROM_MEAN:
        starts_from_mean = True
    state = _encoder_state(named, config)
    mean = latent_avg if starts_from_mean else torch.zeros(config.latent_width)
    state["mean"] = _mean_by_layer(mean, config, part.what)
    named.finish()
    return state


def _encoder_state(named: NamedTensors, config: GradualStyleConfig) -> State:
    take = _BACKBONES[config.backbone].state
    state, top, width = take(named, config, "backbone"), config.channels[-1], config.latent_width
    if config.reading is Reading.POOLED:
        return state | dense_state(named, "linear", "heads.0", top, width)
    halvings = int(math.log2(config.resolution // STRIDE))
    for layer in range(config.layers):
        deeper = (layer >= COARSE_LAYERS) + (layer >= MIDDLE_LAYERS)
        for i in range(halvings + (deeper if config.reading is Reading.PYRAMID else 0)):
            theirs, ours = f"styles.{layer}.convs.{2 * i}", f"heads.{layer}.convs.{i}"
            state[f"{ours}.weight"] = named.take(f"{theirs}.weight", (width, top if i == 0 else width, 3, 3))
            state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (width,))
        state |= dense_state(named, f"styles.{layer}.linear", f"heads.{layer}.dense", width, width)
    if config.reading is Reading.PYRAMID:
        for i in range(2):
            inputs = config.channels[-2 - i]
            state[f"laterals.{i}.weight"] = named.take(f"latlayer{i + 1}.weight", (top, inputs, 1, 1))
            state[f"laterals.{i}.bias"] = named.take(f"latlayer{i + 1}.bias", (top,))
    return state


def _mean_by_layer(latent_avg: Tensor | None, config: GradualStyleConfig, what: str) -> Tensor:
    """The mean latent, once for each layer."""
    layers, width = config.layers, config.latent_width
    if not isinstance(latent_avg, Tensor):
        raise DamagedFile(f"{what}: expected a tensor 'latent_avg', which its codes start from, found none")
    found = list(latent_avg.shape)
    if found[-1:] != [width] or latent_avg.numel() not in (width, layers * width):
        raise DamagedFile(f"{what}: latent_avg: expected shape {[width]} or {[layers, width]}, got {found}")
    return latent_avg.to(torch.float32).reshape(-1, width).expand(layers, -1).clone()


@torch.no_grad()
def _average_image(mean: Tensor, config: ReStyleConfig, generator: AnyGenerator, what: str) -> Tensor:
    """The mean latent's image at the encoder's size."""
    if generator.config.resolution % config.resolution:
        raise UnsupportedFile(
            f"{what}: compares images of {config.resolution} pixels on a side, and the generator's have "
            f"{generator.config.resolution}"
        )
    image: Tensor = area_downsample(generator.synthesis(mean[None]), config.resolution)[0]
    return image
