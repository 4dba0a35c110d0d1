"""What speaks against a file's being a direction of this generator, where nothing forbids it.

No file says that it is a direction. A boundary is of unit norm, and other directions are about as long. A
code is as long as its many numbers make it: the square root of D for one of Z, and of that order for W.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from relatent_export.directions.formats.vectors import MOST_LAYERS, Numbers

_SHARE, _LEAST = 1 / 4, 2.0
"""Of the square root of D, and of few numbers: vectors that are all longer are codes, not directions."""


def doubt_of(path: Path, vectors: Numbers) -> str:
    """Say why vectors are hardly a direction.

    Args:
        path: of the file, whose name InterFaceGAN begins with the generator's kind.
        vectors: [L, D] or one, as the file has them.

    Returns:
        The reason, in words; empty where there is none.
    """
    norms = np.linalg.norm(vectors, axis=1)
    norms, width = norms[norms > 0], vectors.shape[1]
    if len(norms) and norms.min() > max(_SHARE * math.sqrt(width), _LEAST):
        return (
            f"its vectors are {norms.mean():.1f} long, as codes of {width} numbers are, and directions are "
            "about 1 long: perhaps a code"
        )
    if len(vectors) > MOST_LAYERS or (len(vectors) > 1 and len(vectors) % 2):
        return (
            f"no published generator's codes have {len(vectors)} layers: perhaps as many codes or directions"
        )
    if re.search(r"(^|[^a-z])(pggan|progan)([^a-z]|$)", path.stem.lower()):
        return "of a PGGAN by its name, which has no W: it means nothing in the Z of another generator"
    return ""
