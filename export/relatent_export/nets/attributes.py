"""The attribute network: factors from an image, and the features of the perceptual distance.

Plain strided convolutions: no pooling with indices and no normalisation layers, both of which cost
dearly in a gradient graph.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.perceptual import normalize_features

_LEAK = 0.1


class AttributeNetwork(nn.Module):
    """Images to attributes, with features on the way.

    Args:
        attributes: how many outputs.
        resolution: of the images, a multiple of 16.
        channels: feature maps at full, half, quarter, eighth and sixteenth size.
    """

    def __init__(
        self,
        attributes: int,
        resolution: int,
        channels: tuple[int, int, int, int, int] = (16, 32, 64, 128, 128),
    ) -> None:
        super().__init__()
        self.channels = channels
        self.entry = nn.Conv2d(3, channels[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(channels[i], channels[i + 1], 3, stride=2, padding=1) for i in range(4)
        )
        self.same = nn.ModuleList(nn.Conv2d(channels[i + 1], channels[i + 1], 3, padding=1) for i in range(3))
        coarsest = resolution // 16
        self.dense = nn.Linear(channels[4] * coarsest * coarsest, 256)
        self.output = nn.Linear(256, attributes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, _LEAK)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def features(self, image: Tensor) -> list[Tensor]:
        """Feature maps from fine to coarse.

        Args:
            image: float [B, 3, R, R] in [-1, 1].

        Returns:
            Maps of R, R/2, R/4 and R/8 pixels.
        """
        x = F.leaky_relu(self.entry(image), _LEAK)
        maps = [x]
        for down, same in zip(self.down, self.same, strict=False):
            x = F.leaky_relu(down(x), _LEAK)
            x = F.leaky_relu(same(x), _LEAK)
            maps.append(x)
        return maps

    @property
    def divisor(self) -> int:
        """The number of feature maps: their distance is a mean."""
        return len(self.same) + 1

    def map_sizes(self, size: int) -> tuple[int, ...]:
        """Height of each feature map, of images `size` pixels high; maps and images are square."""
        return tuple(size >> i for i in range(self.divisor))

    def comparable(self, maps: list[Tensor]) -> list[Tensor]:
        """Feature maps in float32, with vectors of unit length."""
        return normalize_features([x.float() for x in maps])

    def compared(self, image: Tensor) -> list[Tensor]:
        """Images float [B, 3, R, R] in [-1, 1] to feature maps with vectors of unit length."""
        return self.comparable(self.features(image))

    def forward(self, image: Tensor) -> Tensor:
        """Measure attributes.

        Args:
            image: float [B, 3, R, R] in [-1, 1].

        Returns:
            float [B, attributes].
        """
        return self.judge(self.features(image)[-1])

    def judge(self, coarsest: Tensor) -> Tensor:
        """Attributes from the coarsest feature map."""
        output: Tensor = self.output(self.embed(coarsest))
        return output

    def embed(self, coarsest: Tensor) -> Tensor:
        """The layer before the attributes, [B, 256]: the space in which FID is measured."""
        x = F.leaky_relu(self.down[-1](coarsest), _LEAK)
        return F.leaky_relu(self.dense(x.flatten(1)), _LEAK)
