"""GANSpace's components: the directions in which codes of W vary most.

Härkönen et al., "GANSpace: Discovering Interpretable GAN Controls" (2020). A unit of strength is a standard
deviation of the samples along the component, as in their published edits, which use some layers of it. The
samples' mean lies on the boundary, so that an absolute strength is a component's coordinate.
"""

from __future__ import annotations

import numpy as np
import torch

from relatent.core.directions import Direction
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
            w = generator.codes(chunk, 1.0)[:, 0].double().numpy()
        total += w.sum(0)
        squares += w.T @ w
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
