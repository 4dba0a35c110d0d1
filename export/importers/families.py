"""Whose file is it? Checkpoints recognised by what they hold, never by their names.

    a dict with ...                                     is
    `G_ema`, an object of NVIDIA's                      StyleGAN2-ADA
    `g_ema`                                             rosinality, self-trained or converted
    `generator_smooth`                                  genforce
    `state_dict` of `encoder.*` and `decoder.*`, `opts` e4e, pSp, ReStyle, by the options
    `encoder` and `decoder`, each a dict                GANInverter
    tensors alone                                       what their names say: a bare state dict

Nothing is built here: `export.importers.building` does that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from export.importers import genforce, perceptual
from export.importers.errors import DamagedFile, UnknownFile, UnsupportedFile
from export.importers.ganspace import is_ganspace
from export.importers.named import finite, under
from export.importers.reading import PersistentObject, read_checkpoint
from export.importers.reading.telling import laid_out
from export.nets.stylegan1 import StyleGAN1Config

Tensors = Mapping[str, Tensor]

_NVIDIA = "NVIDIA's own weights come under its Source Code License: no commercial use"
_FFHQ = (
    "MIT for the code; weights trained on FFHQ and from NVIDIA's generator inherit their non-commercial terms"
)
_OWN = "that of whoever trained them; rosinality's code is MIT, weights converted from NVIDIA's stay NVIDIA's"


class Family(Enum):
    """Where a file comes from: the label that `inspect` prints, and a note on the weights' licence."""

    ROSINALITY = "StyleGAN2, rosinality", _OWN
    NVLABS = "StyleGAN2-ADA, NVIDIA", _NVIDIA
    GENFORCE_STYLEGAN2 = (
        "StyleGAN2, genforce",
        "MIT for the code; weights converted from NVIDIA's stay NVIDIA's",
    )
    GENFORCE_STYLEGAN1 = (
        "StyleGAN, genforce",
        "MIT for the code; weights converted from NVIDIA's stay NVIDIA's",
    )
    E4E = "e4e", _FFHQ
    PSP = "pSp", _FFHQ
    RESTYLE = "ReStyle", _FFHQ
    GANINVERTER = "GANInverter", _FFHQ
    IDINVERT_GENERATOR = (
        "idinvert generator (StyleGAN)",
        "MIT; trained on FFHQ, whose pictures are CC BY-NC-SA",
    )
    IDINVERT_ENCODER = "idinvert encoder", "MIT; trained on FFHQ, whose pictures are CC BY-NC-SA"
    FEATURES = (
        "features for a perceptual distance",
        "LPIPS: BSD-2-Clause; torchvision's weights: ImageNet's terms",
    )
    ARCFACE = "ArcFace, IR-SE", "MIT for the code; trained on MS-Celeb-1M, for research only"
    DIRECTION = "edit direction", "that of its publisher; InterFaceGAN's, idinvert's and e4e's are MIT"
    GANSPACE = "GANSpace components", "that of its publisher; those of the e4e family are MIT"

    def __init__(self, label: str, licence: str) -> None:
        self.label, self.licence = label, licence


@dataclass(frozen=True)
class Contents:
    """What a file holds, recognised but not built.

    Attributes:
        path: of the file.
        family: whose it is.
        generator, encoder: tensors by published name, without prefix; empty if there are none.
        others: those of a file with neither: features, an identity network.
        latent_avg: the mean latent that came with them.
        options: what the family's code was told when it was trained, as plain data.
    """

    path: Path
    family: Family
    generator: Tensors = field(default_factory=dict)
    encoder: Tensors = field(default_factory=dict)
    others: Tensors = field(default_factory=dict)
    latent_avg: Tensor | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def recognise(path: Path) -> Contents:
    """Read a file and tell whose it is.

    Raises:
        Refused: it cannot be read safely, is none we know, or of a kind that cannot be imported.
        OSError: it cannot be opened.
    """
    data = read_checkpoint(path)
    if isinstance(data, PersistentObject):
        data = {"G_ema": data}
    if isinstance(data, Tensor | np.ndarray) or (isinstance(data, Mapping) and "boundary" in data):
        return Contents(path, Family.DIRECTION)
    if not isinstance(data, Mapping):
        raise UnknownFile(f"{path}: expected a checkpoint or a direction, got a {type(data).__name__}")
    with laid_out(str(path)):
        return _of_mapping(path, data)


def _of_mapping(path: Path, data: Mapping[str, Any]) -> Contents:
    if is_ganspace(data):
        return Contents(path, Family.GANSPACE)
    if isinstance(data.get("G_ema"), PersistentObject):
        return _nvlabs(path, data["G_ema"].tensors())
    if "generator_smooth" in data:
        return _genforce(path, _tensors(path, data, "generator_smooth"))
    if "g_ema" in data:
        generator = _tensors(path, data, "g_ema")
        return Contents(path, Family.ROSINALITY, generator=generator, latent_avg=_mean(path, data))
    if "state_dict" in data:
        return _encoder_and_decoder(path, data)
    if isinstance(data.get("encoder"), Mapping) and isinstance(data.get("decoder"), Mapping):
        # Its encoder is a module of its own, around the network and the mean latent.
        held = _tensors(path, data, "encoder")
        encoder = _only_tensors(under(held, "encoder."))
        if not encoder:
            raise DamagedFile(f"{path}: encoder: expected tensors called 'encoder. ...', got none")
        return Contents(
            path,
            Family.GANINVERTER,
            generator=_tensors(path, data, "decoder"),
            encoder=encoder,
            latent_avg=_mean(path, held),
            options=_options(data),
        )
    return _bare(path, _only_tensors(data))


def _nvlabs(path: Path, tensors: Tensors) -> Contents:
    if any(name.startswith("synthesis.input.") for name in tensors):
        raise UnsupportedFile(
            f"{path}: a StyleGAN3 generator. It filters and resamples at every layer, which this project's "
            "synthesis does not do; StyleGAN2 is supported"
        )
    return Contents(path, Family.NVLABS, generator=tensors)


def _genforce(path: Path, tensors: Tensors) -> Contents:
    config = genforce.generator_config(tensors, str(path))
    one = isinstance(config, StyleGAN1Config)
    family = Family.GENFORCE_STYLEGAN1 if one else Family.GENFORCE_STYLEGAN2
    return Contents(path, family, generator=tensors)


def _encoder_and_decoder(path: Path, data: Mapping[str, Any]) -> Contents:
    """The layout that pSp began and e4e, ReStyle and HyperStyle took over."""
    tensors, options = _tensors(path, data, "state_dict"), _options(data)
    if any(name.startswith("hypernet.") for name in tensors):
        raise UnsupportedFile(
            f"{path}: a HyperStyle checkpoint. It changes the generator's weights for every image, so that "
            "codes of two images belong to two generators; import the W encoder and the generator instead"
        )
    encoder, decoder = _only_tensors(under(tensors, "encoder.")), _only_tensors(under(tensors, "decoder."))
    if not encoder and not decoder:
        return _bare(path, tensors)
    kind = str(options.get("encoder_type", ""))
    entry = encoder.get("input_layer.0.weight", encoder.get("conv1.weight"))
    if entry is not None and entry.shape[1] > 3:
        family = Family.RESTYLE
    else:
        family = Family.E4E if kind == "Encoder4Editing" else Family.PSP
    return Contents(
        path,
        family,
        generator=decoder,
        encoder=encoder,
        latent_avg=_mean(path, data),
        options=options,
    )


def _bare(path: Path, tensors: Tensors) -> Contents:
    """A state dict by itself."""
    if "style.1.weight" in tensors and "conv1.conv.weight" in tensors:
        return Contents(path, Family.ROSINALITY, generator=tensors)
    if "mapping.fc0.weight" in tensors or any(name.startswith("synthesis.input.") for name in tensors):
        return _nvlabs(path, tensors)
    if "mapping.dense0.fc.weight" in tensors:
        return Contents(path, Family.IDINVERT_GENERATOR, generator=tensors)
    if perceptual.holds_features(tensors):
        return Contents(path, Family.FEATURES, others=tensors)
    if "mapping.dense0.weight" in tensors or "layer0.weight" in tensors:
        return _genforce(path, tensors)
    if "block0.conv.weight" in tensors:
        return Contents(path, Family.IDINVERT_ENCODER, encoder=tensors)
    if "output_layer.3.weight" in tensors and "input_layer.0.weight" in tensors:
        return Contents(path, Family.ARCFACE, others=tensors)
    known = ", ".join([*sorted(tensors)[:3], "..."]) if tensors else "no tensor at all"
    raise UnknownFile(f"{path}: tensors of no family we know: {known}")


def _tensors(path: Path, data: Mapping[str, Any], key: str) -> dict[str, Tensor]:
    """A state dict's tensors, without what `DataParallel` puts before every name.

    Raises:
        DamagedFile: there is no state dict under the key, or an empty one.
    """
    held = data.get(key)
    tensors = _only_tensors(held) if isinstance(held, Mapping) else {}
    if not tensors:
        raise DamagedFile(f"{path}: {key}: expected tensors by name, got none")
    return tensors


def _only_tensors(held: Mapping[str, Any]) -> dict[str, Tensor]:
    """What is no tensor is the business of who trained it."""
    tensors = {str(name): value for name, value in held.items() if isinstance(value, Tensor)}
    return under(tensors, "module.") if all(name.startswith("module.") for name in tensors) else tensors


def _mean(path: Path, held: Mapping[str, Any]) -> Tensor | None:
    """The mean latent that came with tensors, if one did.

    Raises:
        DamagedFile: it is no latent.
    """
    mean = held.get("latent_avg")
    if mean is None:
        return None
    if not isinstance(mean, Tensor) or mean.ndim not in (1, 2) or not mean.is_floating_point():
        raise DamagedFile(f"{path}: latent_avg: expected a tensor of one row or several")
    return finite(mean.to(torch.float32), f"{path}: latent_avg")


def _options(data: Mapping[str, Any]) -> Mapping[str, Any]:
    options = data.get("opts", {})
    return options if isinstance(options, Mapping) else {}
