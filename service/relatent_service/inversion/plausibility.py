"""How plausible an image is, and the code that was found for it (`relatent.core.domain`)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.domain import Domain, cycle
from relatent.core.pack import Pack
from relatent.core.spaces import Space
from relatent_service.engine.models import Models
from relatent_service.traffic.call import Call

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Plausibility:
    """Of an image and its code.

    Attributes:
        score: the share of genuine images that lie at least as far out.
        cycle: of the image.
        domain: what genuine images have.
        code_cycle: of the code that was found; None before, and where it has no W+ part.
    """

    score: float
    cycle: float
    domain: Domain
    code_cycle: float | None = None


class Implausible(ValueError):
    """An image whose score is lower than its caller wants to refine.

    Attributes:
        plausibility: of the image.
        least: the lowest score that would have done.
    """

    def __init__(self, plausibility: Plausibility, least: float) -> None:
        super().__init__(f"an image of score {plausibility.score:.3g}, expected at least {least:g}")
        self.plausibility = plausibility
        self.least = least


async def image_plausibility(
    pack: Pack, domain: Domain, encoded: Floats, models: Models, call: Call
) -> Plausibility:
    """How plausible an image is.

    Args:
        pack: whose networks judge.
        domain: what is genuine.
        encoded: the encoder's code of the image, float32 [1, L, D].
        models: what runs the graphs.
        call: on whose behalf.
    """
    image = await models.synthesize(pack, Codes.plain(encoded), call)
    again = await models.encode(pack, image, call)
    away = cycle(encoded[0], again[0])
    return Plausibility(domain.score(away), away, domain)


async def code_cycle(pack: Pack, code: Codes, image: Pixels, models: Models, call: Call) -> float | None:
    """The cycle of a code with its image uint8 [R, R, 3]; None where it has no W+ part."""
    if code.space is Space.MULTI:
        return None
    again = await models.encode(pack, image[None], call)
    return cycle(code.broadcast(pack.layers).w[0], again[0])
