"""StyleGAN1's generator, as in-domain inversion uses it and as it was published: any width and resolution.

    map -> noise, bias, leaky ReLU -> instance normalisation -> style's scale and shift

Published in Karras et al., "A Style-Based Generator Architecture for Generative Adversarial
Networks" (2019); with one w for each layer and a final tanh in Zhu et al., "In-Domain GAN Inversion
for Real Image Editing" (2020). Networks of this family are imported, never trained here, so weights
are stored as they act: the equalised learning rates' factors are multiplied in at import.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relatent_export.nets.modulation import Change, Maps, Unfinished

_LEAK = 0.2
_EPSILON = 1e-8


@dataclass(frozen=True)
class StyleGAN1Config:
    """The shape of a generator.

    Attributes:
        resolution: of the images, a power of two from 8.
        latent_width: width of w.
        z_width: width of z.
        mapping_layers: fully connected layers of the mapping network.
        mapping_width: width between them.
        channels: feature maps at each resolution from 4 up to `resolution`.
        shared: whether the mapping network gives one w for all layers, not one for each.
        tanh: whether the image goes through a tanh.
        truncated: layers, from the first, that truncation reaches; all if left out.
    """

    resolution: int
    latent_width: int
    z_width: int
    mapping_layers: int
    mapping_width: int
    channels: tuple[int, ...]
    shared: bool = True
    tanh: bool = False
    truncated: int = 0

    def __post_init__(self) -> None:
        levels = int(math.log2(self.resolution)) - 1
        if 2 ** (levels + 1) != self.resolution or levels < 2:
            raise ValueError(f"resolution: expected a power of two from 8, got {self.resolution}")
        if len(self.channels) != levels:
            raise ValueError(f"channels: expected {levels} counts, got {len(self.channels)}")
        if self.truncated == 0:
            object.__setattr__(self, "truncated", self.layers)
        if not 0 < self.truncated <= self.layers:
            raise ValueError(f"truncated: expected 1 to {self.layers} layers, got {self.truncated}")

    @property
    def architecture(self) -> str:
        """What its publication calls it."""
        return "StyleGAN"

    @property
    def layers(self) -> int:
        """L of a W+ code: two a resolution."""
        return 2 * len(self.channels)


class StyleGAN1Mapping(nn.Module):
    """z to W+: normalise to unit second moment, then fully connected layers."""

    mean: Tensor

    def __init__(self, config: StyleGAN1Config) -> None:
        super().__init__()
        codes = 1 if config.shared else config.layers
        widths = [config.z_width] + [config.mapping_width] * (config.mapping_layers - 1)
        widths.append(codes * config.latent_width)
        self.layers = nn.ModuleList(nn.Linear(widths[i], widths[i + 1]) for i in range(len(widths) - 1))
        self.register_buffer("mean", torch.zeros(config.layers, config.latent_width))

    def forward(self, z: Tensor) -> Tensor:
        """Map latent vectors.

        Args:
            z: [B, Z].

        Returns:
            w, [B, L, D]; its layers are equal where the network gives one w for all.
        """
        x = z * torch.rsqrt((z * z).mean(1, keepdim=True) + _EPSILON)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), _LEAK)
        layers, width = self.mean.shape
        w = x.reshape(-1, x.shape[1] // width, width)
        # Repeating, not expanding: a graph's output must own its memory.
        return w if w.shape[1] == layers else w.repeat(1, layers, 1)


class StyleGAN1Layer(nn.Module):
    """A convolution where there is one, noise, bias, leaky ReLU, and the style.

    Args:
        inputs: feature maps; None: the layer starts from maps as many as it gives.
        outputs: feature maps.
        resolution: of the outputs.
        width: of w.
        up: whether to double the resolution first: nearest neighbours before, a blur after the convolution.
    """

    noise: Tensor
    blur: Tensor

    def __init__(
        self, inputs: int | None, outputs: int, resolution: int, width: int, *, up: bool = False
    ) -> None:
        super().__init__()
        self.weight = None
        if inputs is not None:
            self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3) * math.sqrt(2 / (9 * inputs)))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(outputs))
        self.style = nn.Linear(width, 2 * outputs)
        with torch.no_grad():
            self.style.bias[:outputs] += 1
        self.register_buffer("noise", torch.randn(1, 1, resolution, resolution))
        self.up = up
        self.register_buffer("blur", blur_kernel(outputs) if up else torch.empty(0), persistent=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Feature maps [B, inputs, H, W] and w [B, D] to [B, outputs, R, R] in the maps' dtype."""
        return self.styled(x, self.style(w))

    def styled(self, x: Tensor, style: Tensor) -> Tensor:
        """The same by a style [B, 2 outputs], scales and then shifts, in place of w."""
        x = self._convolve(x)
        x = x + (self.noise * self.noise_strength[:, None, None]).to(x.dtype)
        return self._normalise(F.leaky_relu(x, _LEAK), style).to(x.dtype)

    def _convolve(self, x: Tensor) -> Tensor:
        """Convolve and add the bias, after the blur: blurring it would darken it at the edges."""
        bias = self.bias.to(x.dtype)
        if self.weight is None:
            return x + bias[:, None, None]
        if not self.up:
            return F.conv2d(x, self.weight.to(x.dtype), bias, padding=1)
        kernel = _doubling_kernel(self.weight).to(x.dtype)
        x = F.conv_transpose2d(x, kernel, stride=2, padding=1)
        return F.conv2d(x, self.blur.to(x.dtype), bias, padding=1, groups=x.shape[1])

    def _normalise(self, x: Tensor, style: Tensor) -> Tensor:
        """Adaptive instance normalisation, in float32: each map to mean 0 and variance 1, then styled."""
        scale, shift = style.chunk(2, 1)
        x = x.float()
        x = x - x.mean((2, 3), keepdim=True)
        variance = (x * x).mean((2, 3))
        scale = scale * torch.rsqrt(variance + _EPSILON)
        return x * scale[:, :, None, None] + shift[:, :, None, None]


def blur_kernel(channels: int) -> Tensor:
    """The separable low-pass filter [1, 2, 1] as a depthwise kernel, float32 [channels, 1, 3, 3]."""
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    return (taps[:, None] * taps[None, :]).expand(channels, 1, 3, 3).contiguous()


def _doubling_kernel(weight: Tensor) -> Tensor:
    """Nearest neighbours and then a convolution [O, I, 3, 3], as one transposed kernel [I, O, 4, 4].

    Each pixel stands for four, so the kernel is the flipped one, summed over four shifts.
    """
    kernel = F.pad(weight.transpose(0, 1).flip(2, 3), (1, 1, 1, 1))
    rows = kernel[:, :, 1:] + kernel[:, :, :-1]
    return rows[:, :, :, 1:] + rows[:, :, :, :-1]


class StyleGAN1Synthesis(nn.Module):
    """W+ codes to images, at full resolution: the RGB of coarser levels served training alone."""

    def __init__(self, config: StyleGAN1Config) -> None:
        super().__init__()
        channels, width = config.channels, config.latent_width
        self.tanh = config.tanh
        self.const = nn.Parameter(torch.ones(1, channels[0], 4, 4))
        self.layers = nn.ModuleList(
            [StyleGAN1Layer(None, channels[0], 4, width), StyleGAN1Layer(channels[0], channels[0], 4, width)]
        )
        for level in range(1, len(channels)):
            inputs, outputs, resolution = channels[level - 1], channels[level], 4 << level
            self.layers.append(StyleGAN1Layer(inputs, outputs, resolution, width, up=True))
            self.layers.append(StyleGAN1Layer(outputs, outputs, resolution, width))
        self.to_rgb = nn.Conv2d(channels[-1], 3, 1)

    def forward(self, w: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Synthesise images.

        Args:
            w: float32 [B, L, D].
            dtype: of the convolutions; statistics and RGB are float32 whatever it is.

        Returns:
            float32 [B, 3, R, R], nominally in [-1, 1]; strictly so where the network has its tanh.
        """
        return self.image(self.through(self.begin(w.shape[0], dtype), w, range(len(self.layers))))

    def begin(self, batch: int, dtype: torch.dtype = torch.float32) -> Unfinished:
        """Images before the first layer."""
        return Unfinished(Maps(self.const.expand(batch, -1, -1, -1).to(dtype), None), None)

    def through(
        self, unfinished: Unfinished, w: Tensor, layers: range, change: Change | None = None
    ) -> Unfinished:
        """Take images through layers, as `relatent_export.nets.stylegan2.Synthesis.through` does."""
        codes = w.unbind(1)  # its gradient is one stack; indexing's would be a scatter a layer
        maps = unfinished.maps
        for layer in layers:
            maps = Maps(self.layers[layer](maps.values, codes[layer]), None)
            if change is not None:
                maps = change(layer, maps)
        return Unfinished(maps, None)

    def image(self, unfinished: Unfinished) -> Tensor:
        """The images [B, 3, R, R] of what went through all layers."""
        image: Tensor = self.to_rgb(unfinished.maps.values.float())
        return torch.tanh(image) if self.tanh else image

    def layer_shape(self, layer: int) -> tuple[int, int, int]:
        """[C, H, W] of the features after a layer."""
        bias = cast(StyleGAN1Layer, self.layers[layer]).bias
        return len(bias), 4 << layer // 2, 4 << layer // 2


class StyleGAN1(nn.Module):
    """Mapping and synthesis together."""

    def __init__(self, config: StyleGAN1Config) -> None:
        super().__init__()
        self.config = config
        self.mapping = StyleGAN1Mapping(config)
        self.synthesis = StyleGAN1Synthesis(config)

    def codes(self, z: Tensor, psi: Tensor | float) -> Tensor:
        """Random vectors [B, Z] to codes [B, L, D], truncated by psi ([B, 1], or one for all)."""
        return self.truncate(self.mapping(z), psi)

    def mean_code(self) -> Tensor:
        """The mean latent of each layer, [L, D]."""
        return self.mapping.mean

    def truncate(self, w: Tensor, psi: Tensor | float) -> Tensor:
        """Pull the layers that truncation reaches to the mean latent: psi 1 leaves them, 0 gives the mean.

        Args:
            w: [B, L, D].
            psi: [B, 1], or one for all.
        """
        share = psi[:, :, None] if isinstance(psi, Tensor) else psi
        reached, mean = self.config.truncated, self.mapping.mean
        pulled = mean + share * (w - mean)
        return (
            pulled if reached == self.config.layers else torch.cat([pulled[:, :reached], w[:, reached:]], 1)
        )

    def forward(self, z: Tensor, psi: float = 1.0) -> Tensor:
        """Random vectors [B, Z] to images [B, 3, R, R]."""
        image: Tensor = self.synthesis(self.codes(z, psi))
        return image
