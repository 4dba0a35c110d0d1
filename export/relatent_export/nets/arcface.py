"""ArcFace: who a picture shows, as a unit vector; the cosine of two says whether it is the same person.

Published in Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition" (2019). The
network is the IR-SE-50 that the pSp family measures identity with, and pictures are cut and shrunk as
it does: at 256 pixels, rows 35 to 223 and columns 32 to 220 of an aligned face, averaged down to 112.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.ir_se import IRSE, STAGES, IRSEConfig, Norm
from relatent_export.nets.resampling import area_downsample, averaging

_FRAME = 256
_ROWS, _COLUMNS = (35, 223), (32, 220)


@dataclass(frozen=True, kw_only=True)
class ArcFaceConfig(IRSEConfig):
    """The shape of an identity network, beside its backbone's.

    Attributes:
        resolution: of the faces it looks at, a multiple of 16.
        embedding: width of the vector.
    """

    resolution: int = 112
    embedding: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.resolution < 2**STAGES or self.resolution % 2**STAGES:
            raise ValueError(f"resolution: expected a multiple of {2**STAGES}, got {self.resolution}")


class ArcFace(nn.Module):
    """Aligned faces to unit vectors."""

    def __init__(self, config: ArcFaceConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = IRSE(config)
        self.norm_in = Norm(config.channels[-1])
        maps_size = config.resolution // 2**STAGES
        self.dense = nn.Linear(config.channels[-1] * maps_size**2, config.embedding)
        self.norm_out = Norm(config.embedding)

    def forward(self, image: Tensor) -> Tensor:
        """Recognise.

        Args:
            image: float [B, 3, R, R] in [-1, 1]; R up to 256, or a multiple of it.

        Returns:
            float32 [B, E], of norm 1.
        """
        maps = self.backbone(self._face(image))[-1]
        x: Tensor = self.norm_out(self.dense(self.norm_in(maps).flatten(1))).float()
        return x * torch.rsqrt((x * x).sum(1, keepdim=True) + 1e-12)

    def similarity(self, a: Tensor, b: Tensor) -> Tensor:
        """How much two pictures show the same person.

        Args:
            a: float [B, 3, R, R] in [-1, 1].
            b: the same.

        Returns:
            float32 [B] in [-1, 1], the cosine of their embeddings.
        """
        cosine: Tensor = (self(a) * self(b)).sum(1)
        return cosine

    def _face(self, image: Tensor) -> Tensor:
        """Cut out the face and average it down: a product with a constant along each axis."""
        # A tracer has symbols for sizes; the constants want numbers.
        size = min(int(image.shape[-1]), _FRAME)
        image = area_downsample(image, size)
        (top, bottom), (left, right) = (
            [round(at * size / _FRAME) for at in cut] for cut in (_ROWS, _COLUMNS)
        )
        rows = F.pad(averaging(bottom - top, self.config.resolution), (top, size - bottom)).to(image)
        columns = F.pad(averaging(right - left, self.config.resolution), (left, size - right)).to(image)
        return rows @ image @ columns.T
