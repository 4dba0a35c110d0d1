"""SeFa's directions: those of W that change the styles of some layers most. No sample is drawn.

Shen and Zhou, "Closed-Form Factorization of Latent Semantics in GANs" (2021): with A the layers' style
weights, one above the other and each row of unit norm, they are the eigenvectors of A^T A with the largest
eigenvalues.

Steering by the first layer's weights (Spingarn-Eliezer et al., "GAN Steerability without Optimization", 2021)
wants a layer that takes z to an image of few pixels. Generators of this family begin with a constant instead.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from relatent.core.directions import Direction
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.making import direction_of, pointing
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.stylegan2 import Generator


def find_closed_form(given: FinderInput) -> list[Direction]:
    """The first of them, `closed_form_0` that of the largest eigenvalue.

    Raises:
        ValueError: more are asked for than codes are wide.
    """
    weights = style_weights(given.networks.generator, given.layers)
    if given.count > weights.shape[1]:
        raise ValueError(
            f"--count: expected at most the {weights.shape[1]} numbers of a code, got {given.count}"
        )
    rows = weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    _, vectors = np.linalg.eigh(rows.T @ rows)  # eigenvalues ascend
    chosen = pointing(vectors.T[::-1][: given.count])
    return [direction_of(given, f"closed_form_{index}", vector) for index, vector in enumerate(chosen)]


def style_weights(generator: AnyGenerator, layers: range) -> NDArray[np.float64]:
    """The weights that make styles of the codes of some layers, one row a style, [S, D].

    The last layer of StyleGAN2's code styles its last step to RGB and no convolution.
    """
    synthesis = generator.synthesis
    found = []
    for layer in layers:
        if not isinstance(generator, Generator):
            weight = synthesis.layers[layer].get_parameter("style.weight")
        elif layer < len(synthesis.layers):
            weight = synthesis.layers[layer].get_parameter("conv.style.weight")
        else:
            weight = generator.synthesis.to_rgbs[-1].get_parameter("conv.style.weight")
        found.append(cast(torch.Tensor, weight).detach().double().numpy())
    return np.concatenate(found)
