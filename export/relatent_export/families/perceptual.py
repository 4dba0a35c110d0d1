"""Networks for the perceptual distance, as they are published.

    tensors                                    are
    `features.{i}.*`, `classifier.*`           torchvision's VGG16 or AlexNet
    `lin{0..4}.model.{0,1}.weight`             LPIPS's linear weights for either, version 0.1
    `net.slice{k}.{i}.*`, `lin*`, ...          both at once: a whole LPIPS network
    `layer{i}.*`                               in-domain inversion's VGG16, which is Keras's

Which stack it is shows in its first kernel. A stack without linear weights makes a distance in which all
channels count alike. In-domain inversion itself compares the map of the fourth stage alone, as it comes;
here its VGG16 makes the maps of a distance like the others.

Licence: LPIPS is BSD-2-Clause; torchvision's weights come under the terms of ImageNet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile, UnsupportedFile
from relatent_export.families.family import FeaturesFamily, Part, Tensors
from relatent_export.families.shared.backbones import axes
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.assigning import assign
from relatent_export.nets.lpips import SCALE, SHIFT, Lpips, LpipsConfig, Stack

_State = dict[str, Tensor]

_INDICES: Mapping[Stack, tuple[tuple[int, ...], ...]] = {
    Stack.VGG16: ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28)),
    Stack.ALEXNET: ((0,), (3,), (6,), (8,), (10,)),
}
"""Places of the convolutions, stage by stage, where ReLUs and pools are counted as well."""

_KERNELS = {3: Stack.VGG16, 11: Stack.ALEXNET}
"""By the height of the first one."""

_KERAS_MEANS = (123.68, 116.779, 103.939)
"""Of red, green and blue: what Keras's VGG16 has taken from pixels in [0, 255]."""


@dataclass(frozen=True)
class _StackNames:
    """Names in a file with a stack: what tells it, its convolutions, and what else is not needed."""

    mark: str
    convolution: str
    dropped: str
    keras: bool = False


_LAYOUTS = (
    _StackNames("features.0.weight", "features.{index}", r"classifier\..*"),
    _StackNames("net.slice1.0.weight", "net.slice{stage}.{index}", r"lins\..*"),
    # A generator may have a `layer0` as well.
    _StackNames("layer28.weight", "layer{index}", r"", keras=True),
)


def holds_features(part: Part) -> bool:
    """Whether tensors are of a kind that `build` takes."""
    return _layout_of(part.tensors) is not None or _linear_name(0, part.tensors) in part.tensors


def build(parts: Sequence[Part]) -> Lpips:
    """Build a network for the perceptual distance.

    Args:
        parts: of each file: one stack, and linear weights or none.

    Raises:
        DamagedFile: a tensor is missing, misshapen or unknown, or a linear weight is negative.
        UnknownFile: a file holds neither a stack nor linear weights.
        UnsupportedFile: they are of another network, or do not belong together.
        Refused: there is not one stack, or there are linear weights twice.
    """
    stacks: list[tuple[_StackNames, NamedTensors, str]] = []
    linear: list[tuple[NamedTensors, str]] = []
    for part in parts:
        _check_supported(part)
        named, layout = NamedTensors(part.tensors, part.what), _layout_of(part.tensors)
        if layout is not None:
            stacks.append((layout, named, part.what))
        if layout is None or _linear_name(0, part.tensors) in part.tensors:
            linear.append((named, part.what))
    together = ", ".join(part.what for part in parts) or "features"
    if len(stacks) != 1:
        raise Refused(f"{together}: expected one VGG16 or AlexNet, got {len(stacks)}")
    if len(linear) > 1:
        raise Refused(f"{together}: expected linear weights once at most, got them {len(linear)} times")
    layout, named, what = stacks[0]
    config, state = _stack(named, layout, calibrated=bool(linear), what=what)
    for weights, whose in linear:
        if layout.keras:
            raise UnsupportedFile(
                f"{whose}: linear weights belong to torchvision's VGG16, and {what} is Keras's, whose "
                "channels are others; import torchvision's, or no linear weights"
            )
        state |= _linear(weights, config, whose)
        weights.finish()
    named.finish()
    with torch.device("meta"):
        network = Lpips(config)
    assign(network, state)
    return network


def check(part: Part) -> None:
    """Check a file by itself: one with a stack as if it were imported alone, linear weights number by number.

    Raises:
        DamagedFile, UnknownFile, UnsupportedFile: as `build`.
    """
    _check_supported(part)
    if _layout_of(part.tensors) is not None:
        build([part])
        return
    named, what, i = NamedTensors(part.tensors, part.what), part.what, 0
    while (name := _linear_name(i, named)) in named:
        _linear_weight(named, name, axes(named, name, 4, what)[1], what)
        i += 1
    named.finish()


def _check_supported(part: Part) -> None:
    tensors, what = part.tensors, part.what
    if _linear_name(5, tensors) in tensors or any(".squeeze." in name for name in tensors):
        raise UnsupportedFile(f"{what}: SqueezeNet's: features are supported of VGG16 and of AlexNet")
    if not holds_features(part):
        found = ", ".join(sorted(tensors)[:3]) or "nothing"
        raise UnknownFile(f"{what}: expected VGG16, AlexNet or LPIPS's linear weights, found {found}")


def _layout_of(tensors: Tensors) -> _StackNames | None:
    return next((layout for layout in _LAYOUTS if layout.mark in tensors), None)


def _linear_name(i: int, tensors: NamedTensors | Tensors) -> str:
    """Linear weights follow a dropout, unless the network was made without."""
    first, second = (f"lin{i}.model.{place}.weight" for place in (0, 1))
    return first if first in tensors else second


def _stack(
    named: NamedTensors, layout: _StackNames, *, calibrated: bool, what: str
) -> tuple[LpipsConfig, _State]:
    """Take a stack's tensors; its shape is read off them."""
    entry = f"{layout.convolution.format(stage=1, index=0)}.weight"
    kernel = axes(named, entry, 4, what)[-1]
    if kernel not in _KERNELS:
        raise UnsupportedFile(
            f"{what}: {entry}: expected kernels of 3 pixels, VGG16's, or 11, AlexNet's, got {kernel}"
        )
    state: _State = {}
    inputs, channels = 3, []
    for stage, indices in enumerate(_INDICES[_KERNELS[kernel]]):
        for i, index in enumerate(indices):
            theirs, ours = layout.convolution.format(stage=stage + 1, index=index), f"stages.{stage}.{i}"
            outputs, _, _, size = axes(named, f"{theirs}.weight", 4, what)
            state[f"{ours}.weight"] = named.take(f"{theirs}.weight", (outputs, inputs, size, size))
            state[f"{ours}.bias"] = named.take(f"{theirs}.bias", (outputs,))
            inputs = outputs
            channels.append(inputs)
    state |= _preprocessing(named, layout)
    if layout.keras:
        # Its channels begin with blue.
        state["stages.0.0.weight"] = state["stages.0.0.weight"].flip(1)
    named.drop(layout.dropped)
    return LpipsConfig(_KERNELS[kernel], tuple(channels), calibrated), state


def _preprocessing(named: NamedTensors, layout: _StackNames) -> _State:
    """What is taken from pixels in [-1, 1] and what they are divided by, [1, 3, 1, 1] each.

    They stay apart from the weights: convolutions pad with zeros after them.
    """
    shape = (1, 3, 1, 1)
    if layout.keras:
        # Means of [0, 255] are taken from pixels of [0, 255].
        shift = torch.tensor(_KERAS_MEANS, dtype=torch.float64) / 127.5 - 1
        scale = torch.full((3,), 1 / 127.5)
    else:
        shift, scale = torch.tensor(SHIFT), torch.tensor(SCALE)
    state = {"shift": shift.float().reshape(shape), "scale": scale.float().reshape(shape)}
    for name in state:
        if f"scaling_layer.{name}" in named:
            state[name] = named.take(f"scaling_layer.{name}", shape)
    return state


def _linear(named: NamedTensors, config: LpipsConfig, what: str) -> _State:
    """Take linear weights, for the maps that are compared."""
    names = [_linear_name(i, named) for i in range(len(config.compared))]
    channels = tuple(axes(named, name, 4, what)[1] for name in names)
    if channels != config.compared:
        raise UnsupportedFile(
            f"{what}: linear weights for maps of channels {list(channels)}, and {config.stack} has "
            f"{list(config.compared)}"
        )
    pairs = enumerate(zip(names, channels, strict=True))
    return {f"linear.{i}": _linear_weight(named, name, width, what) for i, (name, width) in pairs}


def _linear_weight(named: NamedTensors, name: str, width: int, what: str) -> Tensor:
    weight = named.take(name, (width,))
    if not bool((weight >= 0).all()):
        raise DamagedFile(f"{what}: {name}: expected no negative weights, got {float(weight.min()):.3g}")
    return weight


FAMILY = FeaturesFamily(
    label="features for a perceptual distance",
    licence="LPIPS: BSD-2-Clause; torchvision's weights: ImageNet's terms",
    marks=tuple(
        (name, name)
        for name in (
            "features.0.weight",
            "net.slice1.0.weight",
            "layer28.weight",
            "lin0.model.0.weight",
            "lin0.model.1.weight",
        )
    ),
    claims=holds_features,
    build=build,
    check=check,
)
