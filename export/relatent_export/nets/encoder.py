"""An encoder to W+: a residual pyramid whose levels give the layers of the code.

Coarse layers are read from coarse maps and fine layers from fine ones, as in pSp (Richardson et al.
2021); each layer is an offset from one base code, as in e4e (Tov et al. 2021).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEAK = 0.2


class Encoder(nn.Module):
    """Images to W+ codes.

    Args:
        layers, width: shape of the code.
        mean: float32 [D], the mean latent, added to the output.
        channels: feature maps from full size down to 4 x 4, at least four; so they say how large the
            images are.
        head: feature maps each head reads at 4 x 4.
    """

    mean: Tensor

    def __init__(
        self, layers: int, width: int, mean: Tensor, channels: tuple[int, ...], head: int = 32
    ) -> None:
        super().__init__()
        self.layers, self.width, self.channels, self.head = layers, width, channels, head
        self.entry = nn.Conv2d(3, channels[0], 3, padding=1)
        self.stages = nn.ModuleList(_Stage(channels[i], channels[i + 1]) for i in range(len(channels) - 1))
        # The three coarsest maps, coarsest first, give a third of the layers each.
        levels = [len(channels) - 1, len(channels) - 2, len(channels) - 3]
        counts = [layers * (i + 1) // 3 - layers * i // 3 for i in range(3)]
        self.heads = nn.ModuleList(
            _LayersHead(channels[level], head, len(channels) - 1 - level, count * width)
            for level, count in zip(levels, counts, strict=True)
        )
        self.base = _LayersHead(channels[-1], head, 0, width)
        self.register_buffer("mean", mean.clone())

    @property
    def resolution(self) -> int:
        """Height and width of the images in pixels."""
        return 4 << (len(self.channels) - 1)

    def forward(self, image: Tensor) -> Tensor:
        """Encode.

        Args:
            image: float [B, 3, R, R] in [-1, 1].

        Returns:
            w, float32 [B, L, D].
        """
        base, offsets = self.split(image)
        return base[:, None, :] + offsets

    def split(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The base code [B, D], mean included, and the layers' offsets from it [B, L, D]."""
        x = F.leaky_relu(self.entry(image), _LEAK)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        parts = [head(maps[-1 - i]).float() for i, head in enumerate(self.heads)]
        offsets = torch.cat(parts, 1).reshape(-1, self.layers, self.width)
        return self.mean + self.base(x).float(), offsets


class _Stage(nn.Module):
    """Halve the resolution, then one residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
        self.first = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.down(x), _LEAK)
        y = self.second(F.leaky_relu(self.first(x), _LEAK))
        return F.leaky_relu(x + y, _LEAK)


class _LayersHead(nn.Module):
    """A feature map to some layers: strided convolutions down to 4 x 4, then one linear layer."""

    def __init__(self, inputs: int, width: int, halvings: int, outputs: int) -> None:
        super().__init__()
        strides = [2] * halvings or [1]
        sizes = [inputs] + [width] * len(strides)
        self.convs = nn.ModuleList(
            nn.Conv2d(sizes[i], sizes[i + 1], 3, stride=stride, padding=1) for i, stride in enumerate(strides)
        )
        self.dense = nn.Linear(width * 16, outputs)
        # Start at the mean latent: the first images are then faces, not noise.
        nn.init.normal_(self.dense.weight, std=0.002)
        nn.init.zeros_(self.dense.bias)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = F.leaky_relu(conv(x), _LEAK)
        output: Tensor = self.dense(x.flatten(1))
        return output
