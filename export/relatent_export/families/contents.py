"""What a file was recognised as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from torch import Tensor

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
    GANSPACE_EDIT = "GANSpace edit", "that of its publisher; GANSpace's own are Apache-2.0"

    def __init__(self, label: str, licence: str) -> None:
        self.label, self.licence = label, licence

    @property
    def is_direction(self) -> bool:
        """Whether such a file holds directions and no network."""
        return self in (Family.DIRECTION, Family.GANSPACE, Family.GANSPACE_EDIT)


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
        data: all that was read, of a file of directions, which their readers take apart.
    """

    path: Path
    family: Family
    generator: Tensors = field(default_factory=dict)
    encoder: Tensors = field(default_factory=dict)
    others: Tensors = field(default_factory=dict)
    latent_avg: Tensor | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    data: Any = None
