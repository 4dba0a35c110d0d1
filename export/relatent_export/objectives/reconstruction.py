"""Reconstruction: make the generator's image match a target.

    weight.pixel      · mean over the mask of (G(w) - x)², pixels in [0, 1]
  + weight.perceptual · perceptual distance of G(w) and x, where the mask allows; if there are features
  + weight.anchor     · mean of (w - start)²: how far the code may wander from its start

The terms of in-domain inversion (Zhu et al. 2020) and of the StyleGAN2 projector, with the
encoder's guess as the anchor. Many directions of W+ hardly change the image, and a code that has
wandered along them fits no worse but answers edits less: the anchor's default weight is low, and
still halves how far codes go.

Large images are averaged down before they are compared, as the field does: G(w), x and the mask, to
S x S pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from relatent.core.spaces import CODE
from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.precision import Precision, in_precision, synthesis_in
from relatent_export.nets.networks import Networks
from relatent_export.nets.perceptual import FeatureNetwork, perceptual_distance, resized_masks
from relatent_export.nets.resampling import area_downsample


@dataclass(frozen=True)
class Compared:
    """What reconstructions are compared by.

    Attributes:
        perceptual: the network whose features are compared; None: no perceptual term.
        resolution: R, height and width of the images.
        size: S, a divisor of R: height and width at which they are compared.
    """

    perceptual: FeatureNetwork | None
    resolution: int
    size: int

    @classmethod
    def of(cls, networks: Networks, precision: Precision) -> Compared:
        """As a pack compares."""
        perceptual = networks.lpips or networks.attributes
        held = None if perceptual is None else in_precision(perceptual, precision)
        return cls(held, networks.generator.config.resolution, networks.compare_size)


class Reconstruction(nn.Module):
    """The reconstruction objective over W+ codes; the base of others that keep its terms and add theirs.

    Args:
        synthesis: w [B, L, D] to images [B, 3, R, R] in [-1, 1].
        compared: what images are compared by.
        code: shape of `w`, without the batch axis.
        weights: default weights of further terms.
    """

    def __init__(
        self,
        synthesis: Callable[..., Tensor],
        compared: Compared,
        code: tuple[int, ...],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.synthesis, self.perceptual = synthesis, compared.perceptual
        self.code, self._resolution, self._size = code, compared.resolution, compared.size
        weight = {} if self.perceptual is None else {"perceptual": 0.1}
        self.weights: Mapping[str, float] = {"pixel": 1.0, **weight, "anchor": 3e-4, **(weights or {})}
        """Each term's weight unless told otherwise."""
        self._sizes = () if self.perceptual is None else self.perceptual.map_sizes(self._size)
        # A mask for the pixels and each feature map, but one only for all of a size.
        self._mask_sizes = tuple(dict.fromkeys((self._size, *self._sizes)))

    @property
    def variables(self) -> Mapping[str, tuple[int, ...]]:
        """`w`, [L, D]."""
        return {CODE: self.code}

    @property
    def carried(self) -> Mapping[str, tuple[int, ...]]:
        """`anchor`, [L, D]: the code that refinement started from."""
        return {"anchor": self.code}

    def image(self, variables: Tensors) -> Tensor:
        """The image of what is optimised, float32 [B, 3, R, R]."""
        return self.synthesis(variables[CODE])

    def seen(self, image: Tensor, prepared: Tensors) -> Tensor:
        """An image as it is compared, float32 [B, 3, S, S].

        Args:
            image: of what is optimised.
            prepared: as `prepare` made it.
        """
        return area_downsample(image, self._size)

    def differences(self, variables: Tensors, carried: Tensors, image: Tensor) -> dict[str, Tensor]:
        """What the terms but pixel and perceptual take the mean square of, by term.

        Args:
            variables: what is optimised.
            carried: what travels unchanged.
            image: of `variables`.
        """
        return {"anchor": variables[CODE] - carried["anchor"]}

    def further_terms(self, image: Tensor, prepared: Tensors) -> dict[str, Tensor]:
        """Terms that are no mean square, each float32 [B], by name; none here.

        Args:
            image: of what is optimised.
            prepared: as `prepare` made it.
        """
        return {}

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """`target` [R, R, 3], `mask` [R, R] (255 counts fully) and the weights."""
        size = self._resolution
        weights = {f"weight.{name}": Condition(torch.float32, (1,)) for name in self.weights}
        return {
            "target": Condition(torch.uint8, (size, size, 3)),
            "mask": Condition(torch.uint8, (size, size), default=255),
            **weights,
        }

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        """The target's pixels and features, and the mask at the size of each, of mean 1."""
        target = conditions["target"].permute(0, 3, 1, 2).float() / 127.5 - 1
        mask = conditions["mask"][:, None].float() / 255
        target, mask = area_downsample(target, self._size), area_downsample(mask, self._size)
        masks = resized_masks(mask, self._mask_sizes)
        features = [] if self.perceptual is None else self.perceptual.compared(target)
        return {
            "image": target,
            **{f"mask.{i}": m / m.mean((1, 2, 3), keepdim=True).clamp(min=1e-6) for i, m in enumerate(masks)},
            **{f"feature.{i}": feature for i, feature in enumerate(features)},
        }

    def losses(self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors) -> Tensor:
        """The weighted sum of the terms, float32 [B]."""
        full = self.image(variables)
        image = self.seen(full, prepared)
        # Products, not powers: ONNX Runtime computes Pow element by element. The quarter turns
        # squared differences of [-1, 1] pixels into those of [0, 1] pixels.
        error = image - prepared["image"]
        differences = self.differences(variables, carried, full)
        terms = {}
        terms["pixel"] = (error * error * prepared["mask.0"]).mean((1, 2, 3)) / 4
        for name, difference in differences.items():
            terms[name] = (difference * difference).mean(tuple(range(1, difference.ndim)))
        if self.perceptual is not None:
            terms["perceptual"] = perceptual_distance(
                self.perceptual.compared(image),
                [prepared[f"feature.{i}"] for i in range(len(self._sizes))],
                [self._mask(prepared, size) for size in self._sizes],
                self.perceptual.divisor,
            )
        terms |= self.further_terms(full, prepared)
        total = conditions["weight.pixel"][:, 0] * terms.pop("pixel")
        for name in [name for name in self.weights if name in terms]:
            total = total + conditions[f"weight.{name}"][:, 0] * terms[name]
        return total

    def residuals(
        self, variables: Tensors, carried: Tensors, conditions: Tensors, prepared: Tensors
    ) -> Sequence[Tensor]:
        """What the terms square and add up: the image, its features and the code, each compared."""
        w = variables[CODE]
        image = self.seen(self.image(variables), prepared)
        weight = {name: conditions[f"weight.{name}"][:, :, None, None] for name in self.weights}
        share = weight["pixel"] * prepared["mask.0"] / image[0].numel() / 4
        compared = [(image - prepared["image"]) * share.sqrt()]
        if self.perceptual is not None:
            for i, feature in enumerate(self.perceptual.compared(image)):
                mask = self._mask(prepared, self._sizes[i])
                share = weight["perceptual"] * mask / feature[0, 0].numel() / self.perceptual.divisor
                compared.append((feature - prepared[f"feature.{i}"]) * share.sqrt())
        anchor = (w - carried["anchor"]) * (conditions["weight.anchor"][:, :, None] / w[0].numel()).sqrt()
        return [*compared, anchor]

    def _mask(self, prepared: Tensors, size: int) -> Tensor:
        return prepared[f"mask.{self._mask_sizes.index(size)}"]


def reconstruction_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> Reconstruction:
    """The objective of a pack's networks, computed in a precision."""
    config = networks.generator.config
    return Reconstruction(
        synthesis_in(networks.generator.synthesis, precision),
        Compared.of(networks, precision),
        (config.layers, config.latent_width),
    )
