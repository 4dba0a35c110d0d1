"""What kind of the pSp family's encoders a checkpoint holds.

    options' `encoder_type`                         backbone   layers read from
    GradualStyleEncoder (pSp)                       IR-SE      a pyramid
    Encoder4Editing (e4e)                           IR-SE      a pyramid, as offsets from the first
    BackboneEncoder (ReStyle)                       IR-SE      the coarsest map
    ProgressiveBackboneEncoder (ReStyle)            IR-SE      the coarsest map, as offsets from the first
    ResNet...                                       ResNet     as without
    BackboneEncoderUsingLastLayerIntoW, WEncoder    IR-SE      the coarsest map's mean, one for all
    SingleStyleCodeEncoder (e4e)                    IR-SE      the same

The tensors tell all of this but whether layers are offsets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families.family import Part
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.gradual_style import Backbone, Reading


@dataclass(frozen=True)
class EncoderKind:
    """What the tensors do not tell, and what they do.

    Attributes:
        backbone: what the feature maps come from.
        reading: where layers are read.
        progressive: whether layers are offsets from the first.
    """

    backbone: Backbone
    reading: Reading
    progressive: bool = False


_KINDS = {
    "GradualStyleEncoder": EncoderKind(Backbone.IR_SE, Reading.PYRAMID),
    "ResNetGradualStyleEncoder": EncoderKind(Backbone.RESNET, Reading.PYRAMID),
    "Encoder4Editing": EncoderKind(Backbone.IR_SE, Reading.PYRAMID, progressive=True),
    "BackboneEncoder": EncoderKind(Backbone.IR_SE, Reading.COARSEST),
    "ResNetBackboneEncoder": EncoderKind(Backbone.RESNET, Reading.COARSEST),
    "ProgressiveBackboneEncoder": EncoderKind(Backbone.IR_SE, Reading.COARSEST, progressive=True),
    "ResNetProgressiveBackboneEncoder": EncoderKind(Backbone.RESNET, Reading.COARSEST, progressive=True),
    "BackboneEncoderUsingLastLayerIntoW": EncoderKind(Backbone.IR_SE, Reading.POOLED),
    "WEncoder": EncoderKind(Backbone.IR_SE, Reading.POOLED),
    "SingleStyleCodeEncoder": EncoderKind(Backbone.IR_SE, Reading.POOLED),
}


def encoder_type(part: Part) -> str | None:
    """What the options say that an encoder is; None if they do not.

    Raises:
        UnsupportedFile: it is none of the kinds above.
    """
    return _checked_type(part.options, part.what)


def _checked_type(options: Mapping[str, Any], what: str) -> str | None:
    name = options.get("encoder_type")
    if name is not None and (not isinstance(name, str) or name not in _KINDS):
        raise UnsupportedFile(f"{what}: encoder_type {name!r} is not supported; {', '.join(_KINDS)} are")
    return name


def find_kind(named: NamedTensors, options: Mapping[str, Any], what: str) -> EncoderKind:
    """Take the options' word for it, and check it against the tensors.

    Raises:
        DamagedFile: they contradict each other.
        UnsupportedFile: the kind is not supported, or cannot be told.
    """
    name = _checked_type(options, what)
    backbone = Backbone.RESNET if "conv1.weight" in named else Backbone.IR_SE
    reading = _reading(named)
    if name is None and reading is Reading.POOLED:
        return EncoderKind(backbone, reading)
    if name is None:
        raise UnsupportedFile(
            f"{what}: opts: expected an 'encoder_type', got none: the tensors do not tell whether layers are "
            "offsets from the first, as e4e's, or not, as pSp's"
        )
    kind = _KINDS[name]
    if (kind.backbone, kind.reading) != (backbone, reading):
        raise DamagedFile(
            f"{what}: encoder_type {name}: expected a backbone {kind.backbone} read as {kind.reading}, got "
            f"tensors of a backbone {backbone} read as {reading}"
        )
    return kind


def _reading(named: NamedTensors) -> Reading:
    if "linear.weight" in named:
        return Reading.POOLED
    named.shape("styles.0.linear.weight")
    if count_halvings(named, count_heads(named) - 1) > count_halvings(named, 0):
        return Reading.PYRAMID
    return Reading.COARSEST


def count_heads(named: NamedTensors) -> int:
    """Heads that give a layer each."""
    heads = 0
    while f"styles.{heads}.linear.weight" in named:
        heads += 1
    return heads


def count_halvings(named: NamedTensors, layer: int) -> int:
    """Convolutions of a layer's head; the activations between them are counted in the names."""
    halvings = 0
    while f"styles.{layer}.convs.{2 * halvings}.weight" in named:
        halvings += 1
    return halvings
