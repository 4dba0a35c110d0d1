"""Local directions: what changes one image most, by the generator's Jacobian there.

Ramesh et al., "A Spectral Regularizer for Unsupervised Disentanglement" (2019): the right singular vectors of
the Jacobian of the image by the code, at that code; at right angles to each other, the one of the largest
singular value first. They are of that image: elsewhere they may do something else.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from relatent.core.directions import Direction
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.making import direction_of, pointing
from relatent_export.nets.networks import AnyGenerator
from relatent_export.nets.resampling import area_downsample

SIDE = 64
"""Height and width at which images are compared: finer detail would outweigh what one sees."""


def find_locally(given: FinderInput) -> list[Direction]:
    """The first of them, `local_0` that of the largest singular value.

    Raises:
        ValueError: no image is given, or more directions are asked for than codes are wide.
    """
    if given.code is None:
        raise ValueError("--image: expected the image that local directions are to be of, got none")
    width = given.networks.generator.config.latent_width
    if given.count > width:
        raise ValueError(f"--count: expected at most the {width} numbers of a code, got {given.count}")
    jacobian = image_jacobian(given.networks.generator, given.code, given.layers)
    _, _, vectors = np.linalg.svd(jacobian, full_matrices=False)
    chosen = pointing(vectors[: given.count])
    return [direction_of(given, f"local_{index}", vector) for index, vector in enumerate(chosen)]


def image_jacobian(generator: AnyGenerator, code: NDArray[np.float32], layers: range) -> NDArray[np.float64]:
    """The derivative of the image by a shift of some layers alike, [3 S S, D].

    Args:
        generator: of the image.
        code: float32 [L, D].
        layers: that are shifted.
    """
    moved = torch.zeros(code.shape[0], 1)
    moved[list(layers)] = 1
    shift = torch.zeros(code.shape[1], requires_grad=True)
    made = generator.synthesis((torch.from_numpy(code) + moved * shift)[None])
    image = area_downsample(made, min(SIDE, generator.config.resolution)).flatten()
    # J v for each v, by two passes back: J^T u is linear in u, and its derivative by u along v is J v. There
    # are many times more pixels than numbers of a code, which one pass back each would take.
    weights = torch.zeros_like(image, requires_grad=True)
    (back,) = torch.autograd.grad(image, shift, weights, create_graph=True)
    columns = [
        torch.autograd.grad(back, weights, tangent, retain_graph=True)[0]
        for tangent in torch.eye(code.shape[1])
    ]
    jacobian: NDArray[np.float64] = torch.stack(columns, 1).double().numpy()
    return jacobian
