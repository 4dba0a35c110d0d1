"""Text-driven refinement: make an image what a text says, and leave the rest of it.

  ... + weight.text · 1 - cos(E(G(w)), t),   t = E(x) + text

E embeds images, x is the given one, and `text` the difference of two texts' embeddings, "an old person" less
"a person": t is where the image would be embedded if that alone were different. Its length says how far, and
twice the difference is a clear change. The anchor holds the code, as StyleCLIP has it (Patashnik et al.,
"StyleCLIP: Text-Driven Manipulation of StyleGAN Imagery", 2021, section 4). StyleCLIP's own t, a text's
embedding alone, comes of one that is made many times as long; it also draws to the middle all that the text
does not name.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from relatent_export.compile.objective import Condition, Tensors
from relatent_export.compile.precision import Precision, synthesis_in
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_float
from relatent_export.objectives.reconstruction import Compared, Reconstruction
from relatent_export.text.encoding import ImageEmbedding

TEXT = "text"
ANCHOR_WEIGHT = 0.002
"""Of the sum of squares that a code moves by: a quarter of StyleCLIP's, chosen on drawings for choices."""

_TINY = 1e-12


class TextObjective(Reconstruction):
    """Reconstruction's terms, and how like a text the image is.

    Args:
        networks: the pack's, with an image-text pair.
        precision: that synthesis and what compares images are computed in; the pair stays in float32.
    """

    def __init__(self, networks: Networks, precision: Precision) -> None:
        assert networks.image_text is not None
        config = networks.generator.config
        super().__init__(
            synthesis_in(networks.generator.synthesis, precision),
            Compared.of(networks, precision),
            (config.layers, config.latent_width),
            {TEXT: 1.0},
        )
        numbers = config.layers * config.latent_width
        looks = {name: 0.0 for name in ("pixel", "perceptual") if name in self.weights}
        self.weights = {**self.weights, **looks, "anchor": ANCHOR_WEIGHT * numbers}
        self.embedding = ImageEmbedding(networks.image_text, config.resolution)
        self.width = networks.image_text.width

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """Reconstruction's, and `text` [E]: what the image's embedding is moved by."""
        return {**super().conditions, TEXT: Condition(torch.float32, (self.width,))}

    def prepare(self, conditions: Tensors) -> dict[str, Tensor]:
        """Reconstruction's, and t at unit length."""
        goal = self.embedding(to_float(conditions["target"])) + conditions[TEXT]
        length = (goal * goal).sum(1, keepdim=True).add(_TINY).sqrt()
        return {**super().prepare(conditions), TEXT: goal / length}

    def further_terms(self, image: Tensor, prepared: Tensors) -> dict[str, Tensor]:
        """`text`: 1 - the cosine of the image's embedding and t."""
        return {TEXT: 1 - (self.embedding(image) * prepared[TEXT]).sum(1)}


def text_objective(networks: Networks, precision: Precision = Precision.FLOAT32) -> TextObjective:
    """With the pack's image-text pair."""
    return TextObjective(networks, precision)
