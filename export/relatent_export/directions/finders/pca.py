"""GANSpace's components: the directions in which codes of W, or of P, vary most.

Härkönen et al., "GANSpace: Discovering Interpretable GAN Controls" (2020). A unit of strength is a standard
deviation of the samples along the component, as in their published edits, which use some layers of it. The
samples' mean lies on the boundary, so that an absolute strength is a component's coordinate. Those of P are
what Zhu et al., "Improved StyleGAN Embedding: Where are the Good Latents?" (2020), whiten its codes by.
"""

from __future__ import annotations

import numpy as np
import torch

from relatent.core.directions import Direction
from relatent.core.p_space import to_p
from relatent.core.spaces import Space
from relatent_export.directions.finders.finder import FinderInput
from relatent_export.directions.finders.making import direction_of, pointing
from relatent_export.progress import progress

_CHUNK = 4_096


def find_components(given: FinderInput) -> list[Direction]:
    """The first components, `pca_0` that of the largest deviation.

    Raises:
        ValueError: fewer samples than codes are wide, or more components asked for.
    """
    generator = given.networks.generator
    width = generator.config.latent_width
    if given.samples <= width:
        raise ValueError(f"--samples: expected more than the {width} numbers of a code, got {given.samples}")
    if given.count > width:
        raise ValueError(f"--count: expected at most the {width} numbers of a code, got {given.count}")
    random = torch.Generator().manual_seed(given.seed)
    z = torch.randn(given.samples, generator.config.z_width, generator=random)
    total, squares = np.zeros(width), np.zeros((width, width))
    for chunk in progress(torch.split(z, _CHUNK), "sampling", unit="batch", leave=False):
        with torch.no_grad():
            codes = generator.codes(chunk, 1.0)[:, 0].double().numpy()
        points = to_p(codes) if given.space is Space.P else codes
        total += points.sum(0)
        squares += points.T @ points
    mean = total / given.samples
    variances, vectors = np.linalg.eigh(squares / given.samples - np.outer(mean, mean))
    order = np.argsort(-variances)[: given.count]
    components, deviations = pointing(vectors.T[order]), np.sqrt(np.maximum(variances[order], 0))
    return [
        direction_of(
            given,
            f"pca_{index}",
            component,
            bias=-float(mean @ component),
            lengths=[deviation] * generator.config.layers,
        )
        for index, (component, deviation) in enumerate(zip(components, deviations, strict=True))
    ]
