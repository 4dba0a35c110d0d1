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
from torch import Tensor

from export.importers import genforce, perceptual
from export.importers.errors import UnknownFile, UnsupportedFile
from export.importers.ganspace import is_ganspace
from export.importers.named import under
from export.importers.reading import PersistentObject, read_checkpoint
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
    return _of_mapping(path, data)


def _of_mapping(path: Path, data: Mapping[str, Any]) -> Contents:
    if is_ganspace(data):
        return Contents(path, Family.GANSPACE)
    if isinstance(data.get("G_ema"), PersistentObject):
        return _nvlabs(path, data["G_ema"].tensors())
    if "generator_smooth" in data:
        return _genforce(path, _tensors(data["generator_smooth"]))
    if "g_ema" in data:
        mean = data.get("latent_avg")
        return Contents(path, Family.ROSINALITY, generator=_tensors(data["g_ema"]), latent_avg=mean)
    if "state_dict" in data:
        return _encoder_and_decoder(path, data)
    if isinstance(data.get("encoder"), Mapping) and isinstance(data.get("decoder"), Mapping):
        # Its encoder is a module of its own, around the network and the mean latent.
        encoder = _without_prefix(under(_tensors(data["encoder"]), "encoder."))
        return Contents(
            path,
            Family.GANINVERTER,
            generator=_without_prefix(_tensors(data["decoder"])),
            encoder=encoder,
            latent_avg=data["encoder"].get("latent_avg"),
            options=_options(data),
        )
    return _bare(path, _tensors(data))


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
    tensors, options = _tensors(data["state_dict"]), _options(data)
    if any(name.startswith("hypernet.") for name in tensors):
        raise UnsupportedFile(
            f"{path}: a HyperStyle checkpoint. It changes the generator's weights for every image, so that "
            "codes of two images belong to two generators; import the W encoder and the generator instead"
        )
    encoder = _without_prefix(under(tensors, "encoder."))
    kind = str(options.get("encoder_type", ""))
    entry = encoder.get("input_layer.0.weight", encoder.get("conv1.weight"))
    if entry is not None and entry.shape[1] > 3:
        family = Family.RESTYLE
    else:
        family = Family.E4E if kind == "Encoder4Editing" else Family.PSP
    return Contents(
        path,
        family,
        generator=_without_prefix(under(tensors, "decoder.")),
        encoder=encoder,
        latent_avg=data.get("latent_avg"),
        options=options,
    )


def _bare(path: Path, tensors: Tensors) -> Contents:
    """A state dict by itself."""
    tensors = _without_prefix(tensors)
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
    known = ", ".join(sorted(tensors)[:3])
    raise UnknownFile(f"{path}: tensors of no family we know ({known}, ...)")


def _tensors(data: Any) -> dict[str, Tensor]:
    """A state dict's tensors; what is no tensor in it is the business of who trained it."""
    return {str(name): value for name, value in data.items() if isinstance(value, Tensor)}


def _without_prefix(tensors: Tensors) -> dict[str, Tensor]:
    """Without what `DataParallel` puts before every name."""
    return under(tensors, "module.") if all(name.startswith("module.") for name in tensors) else dict(tensors)


def _options(data: Mapping[str, Any]) -> Mapping[str, Any]:
    options = data.get("opts", {})
    return options if isinstance(options, Mapping) else {}
