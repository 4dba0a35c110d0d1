"""ArcFace, as the pSp family publishes it: `model_ir_se50.pth`, an IR-SE that tells whom a face shows.

Licence: MIT for TreB1eN's code; the weights were trained on MS-Celeb-1M, which is for research only.
"""

from __future__ import annotations

import math

import torch

from relatent_export.checkpoints.errors import DamagedFile, UnsupportedFile
from relatent_export.families.family import IdentityFamily, Part
from relatent_export.families.shared.backbones import axes, dense_state, ir_se_shape, ir_se_state, norm_state
from relatent_export.families.shared.named_tensors import NamedTensors
from relatent_export.nets.arcface import ArcFace, ArcFaceConfig
from relatent_export.nets.assigning import assign
from relatent_export.nets.ir_se import STAGES


def identity_config(part: Part) -> ArcFaceConfig:
    """Read the shape of an identity network off its tensors.

    Args:
        part: `input_layer.*`, `body.*`, `output_layer.{0,3,4}.*`.

    Raises:
        DamagedFile: a tensor is missing or misshapen.
        UnsupportedFile: there are not four stages.
    """
    what = part.what
    named = NamedTensors(part.tensors, what)
    shape = ir_se_shape(named, what)
    embedding, inputs = axes(named, "output_layer.3.weight", 2, what)
    maps = shape["channels"][-1]
    size = math.isqrt(inputs // maps)
    if size == 0 or size * size * maps != inputs:
        raise DamagedFile(
            f"{what}: output_layer.3.weight: expected inputs of {maps} square maps, got {inputs}"
        )
    if shape["image_channels"] != 3:
        raise UnsupportedFile(f"{what}: takes {shape['image_channels']} channels: expected 3, an image")
    return ArcFaceConfig(**shape, resolution=size << STAGES, embedding=embedding)


def build(part: Part) -> ArcFace:
    """Build an identity network.

    Args:
        part: as `identity_config` takes it, with nothing beside.

    Raises:
        DamagedFile: a tensor is missing, misshapen or unknown.
        UnsupportedFile: there are not four stages.
    """
    config = identity_config(part)
    named = NamedTensors(part.tensors, part.what)
    named.drop(r".*\.num_batches_tracked")
    channels, size = config.channels[-1], config.resolution >> STAGES
    state = ir_se_state(named, config, "backbone")
    state |= norm_state(named, "output_layer.0", "norm_in", channels)
    state |= dense_state(named, "output_layer.3", "dense", channels * size * size, config.embedding)
    state |= norm_state(named, "output_layer.4", "norm_out", config.embedding)
    named.finish()
    with torch.device("meta"):
        network = ArcFace(config)
    assign(network, state)
    return network


FAMILY = IdentityFamily(
    label="ArcFace, IR-SE",
    licence="MIT for the code; trained on MS-Celeb-1M, for research only",
    marks=(("output_layer.3.weight", "input_layer.0.weight"),),
    build=build,
)
