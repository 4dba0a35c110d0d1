"""The end of an inversion: the image of the code that was found, and how close it is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent_service.engine.models import Models
from relatent_service.traffic.call import Call

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


async def reconstruct(
    pack: Pack, code: Floats, target: Pixels, models: Models, call: Call
) -> tuple[Pixels, Quality]:
    """The image uint8 [R, R, 3] of a code float32 [1, L, D], and how close it is to a target of its shape."""
    image = await models.synthesize(pack, code, call)
    return image[0], await models.assess(pack, image, target[None], call)
