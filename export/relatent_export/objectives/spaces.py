"""Codes with more parts than W+: what they are made of, and the graphs that make their images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from relatent.core.codes import ORIGIN
from relatent.core.graphs import Role
from relatent.core.spaces import CODE, STYLES, CodePart, CodeParts, Space
from relatent_export.compile.onnx import EXAMPLES
from relatent_export.compile.precision import Precision
from relatent_export.nets.networks import Networks
from relatent_export.nets.offsets import OffsetSynthesis
from relatent_export.nets.pixels import to_bytes
from relatent_export.nets.styles import StyleSynthesis
from relatent_export.objectives.multi_code import multi_code_parts, multi_code_synthesis
from relatent_export.objectives.offsets import (
    by_layer,
    feature_synthesis,
    layered_synthesis,
    offset_code_parts,
)


def _style_parts(networks: Networks) -> CodeParts:
    config = networks.generator.config
    code = CodePart("float32", (config.layers, config.latent_width))
    styles = CodePart("float32", (sum(StyleSynthesis(networks.generator).widths),))
    return CodeParts(Role.SYNTHESIZE_STYLE, {CODE: code, STYLES: styles})


SPACES: Mapping[Space, Callable[[Networks], CodeParts]] = {
    Space.STYLE: _style_parts,
    Space.FEATURE: lambda networks: offset_code_parts(
        networks, feature_synthesis(networks, Precision.FLOAT32), Role.SYNTHESIZE_FEATURE
    ),
    Space.LAYERED: lambda networks: offset_code_parts(
        networks, layered_synthesis(networks, Precision.FLOAT32), Role.SYNTHESIZE_LAYERED
    ),
    Space.MULTI: multi_code_parts,
}
"""What codes are made of, by space; those of W and W+ are their part `w`."""


class SynthesizeOffsets(nn.Module):
    """A code with offsets to its image."""

    def __init__(self, offsets: OffsetSynthesis, names: tuple[str, ...]) -> None:
        super().__init__()
        self.offsets, self._names = offsets, names

    def forward(self, *parts: Tensor) -> Tensor:
        """The parts of codes, each with a batch axis, to uint8 [B, R, R, 3]."""
        values = {name: part.float() for name, part in zip(self._names, parts, strict=True)}
        offsets = by_layer(self.offsets, values)
        return to_bytes(self.offsets.faded(values[CODE], values[ORIGIN], offsets))


class SynthesizeStyles(nn.Module):
    """A code and what is added to its styles to its image."""

    def __init__(self, networks: Networks, precision: Precision) -> None:
        super().__init__()
        self.styled = StyleSynthesis(networks.generator, precision.dtype)

    def forward(self, w: Tensor, styles: Tensor) -> Tensor:
        """float32 [B, L, D] and [B, S] to uint8 [B, R, R, 3]."""
        return to_bytes(self.styled(self.styled.styles(w) + styles))


class SynthesizeMulti(nn.Module):
    """Several codes and their weights to one image."""

    def __init__(self, networks: Networks, precision: Precision) -> None:
        super().__init__()
        self.blended = multi_code_synthesis(networks, precision)

    def forward(self, w: Tensor, weights: Tensor) -> Tensor:
        """float32 [B, N, L, D] and [B, N, C] to uint8 [B, R, R, 3]."""
        return to_bytes(self.blended(w, weights))


def synthesis_module(space: Space, networks: Networks, precision: Precision) -> nn.Module:
    """What makes images of codes of a space of `SPACES`; takes their parts in order."""
    if space is Space.MULTI:
        return SynthesizeMulti(networks, precision)
    if space is Space.STYLE:
        return SynthesizeStyles(networks, precision)
    make = feature_synthesis if space is Space.FEATURE else layered_synthesis
    return SynthesizeOffsets(make(networks, precision), tuple(SPACES[space](networks).parts))


def example_parts(shape: CodeParts) -> list[Tensor]:
    """Random codes of a shape to trace with, one tensor a part."""
    random = torch.Generator().manual_seed(2)
    return [
        torch.randn(EXAMPLES, *part.shape, generator=random).to(getattr(torch, part.dtype))
        for part in shape.parts.values()
    ]
