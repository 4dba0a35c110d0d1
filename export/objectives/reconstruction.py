"""Reconstruction: make the generator's image match a target.

    weight.pixel      · mean over the mask of (G(w) - x)², pixels in [0, 1]
  + weight.perceptual · perceptual distance of G(w) and x, where the mask allows
  + weight.anchor     · mean of (w - start)²: how far the code may wander from its start

The terms of in-domain inversion (Zhu et al. 2020) and of the StyleGAN2 projector, with the
encoder's guess as the anchor. Many directions of W+ hardly change the image, and a code that has
wandered along them fits no worse but answers edits less: the anchor's default weight is low, and
still halves how far codes go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from export.nets.attributes import AttributeNetwork, normalize_features, perceptual_distance
from export.nets.stylegan2 import Synthesis
from export.objectives.objective import Condition, Tensors

_MAPS = 4
"""Feature maps of the attribute network."""


class Reconstruction(nn.Module):
    """The reconstruction objective over W+ codes.

    Args:
        synthesis: w [B, L, D] to images [B, 3, R, R] in [-1, 1].
        perceptual: the network whose features are compared.
        layers, width, resolution: L, D and R.
    """

    weights: Mapping[str, float] = {"pixel": 1.0, "perceptual": 0.1, "anchor": 3e-4}

    def __init__(
        self, synthesis: Synthesis, perceptual: AttributeNetwork, layers: int, width: int, resolution: int
    ) -> None:
        super().__init__()
        self.synthesis, self.perceptual = synthesis, perceptual
        self._code, self._side = (layers, width), resolution

    @property
    def variables(self) -> Mapping[str, tuple[int, ...]]:
        """`w`, [L, D]."""
        return {"w": self._code}

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        """`anchor`, [L, D]: the code that refinement started from."""
        return {"anchor": self._code}

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """`target` [R, R, 3], `mask` [R, R] (255 counts fully) and the weights."""
        side = self._side
        weights = {f"weight.{name}": Condition(torch.float32, (1,)) for name in self.weights}
        return {
            "target": Condition(torch.uint8, (side, side, 3)),
            "mask": Condition(torch.uint8, (side, side)),
            **weights,
        }

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        """The target's pixels and features, and the mask at each feature map's size, of mean 1."""
        target = conditions["target"].permute(0, 3, 1, 2).float() / 127.5 - 1
        mask = conditions["mask"][:, None].float() / 255
        # Each map of the feature pyramid is weighted by the mask at its own size.
        masks = [mask]
        for _ in range(_MAPS - 1):
            b, _, h, w = masks[-1].shape
            masks.append(masks[-1].reshape(b, 1, h // 2, 2, w // 2, 2).mean((3, 5)))
        features = normalize_features(self.perceptual.features(target))
        return {
            "image": target,
            **{f"mask.{i}": m / m.mean((1, 2, 3), keepdim=True).clamp(min=1e-6) for i, m in enumerate(masks)},
            **{f"feature.{i}": feature for i, feature in enumerate(features)},
        }

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        """The weighted sum of the three terms, float32 [B]."""
        w = variables["w"]
        image = self.synthesis(w)
        # Products, not powers: ONNX Runtime computes Pow element by element. The quarter turns
        # squared differences of [-1, 1] pixels into those of [0, 1] pixels.
        error, moved = image - prepared["image"], w - carried["anchor"]
        pixel = (error * error * prepared["mask.0"]).mean((1, 2, 3)) / 4
        anchor = (moved * moved).mean((1, 2))
        perceptual = perceptual_distance(
            normalize_features(self.perceptual.features(image)),
            [prepared[f"feature.{i}"] for i in range(_MAPS)],
            [prepared[f"mask.{i}"] for i in range(_MAPS)],
        )
        total: Tensor = (
            conditions["weight.pixel"][:, 0] * pixel
            + conditions["weight.perceptual"][:, 0] * perceptual
            + conditions["weight.anchor"][:, 0] * anchor
        )
        return total

    def residuals(
        self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors
    ) -> Sequence[Tensor]:
        """What the three terms square and add up: the image, its features and the code, each compared."""
        w = variables["w"]
        image = self.synthesis(w)
        features = normalize_features(self.perceptual.features(image))
        weight = {name: conditions[f"weight.{name}"][:, :, None, None] for name in self.weights}
        compared = [
            (image - prepared["image"]) * (weight["pixel"] * prepared["mask.0"] / image[0].numel() / 4).sqrt()
        ]
        for i, feature in enumerate(features):
            share = weight["perceptual"] * prepared[f"mask.{i}"] / feature[0, 0].numel() / _MAPS
            compared.append((feature - prepared[f"feature.{i}"]) * share.sqrt())
        anchor = (w - carried["anchor"]) * (conditions["weight.anchor"][:, :, None] / w[0].numel()).sqrt()
        return [*compared, anchor]
