"""Restorations that no server should answer; see `tests.system.malformed`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.v1 import inversion_pb2, restoration_pb2, types_pb2
from tests.fixtures import tiny
from tests.fixtures.requests import encoded, image, latent
from tests.system.malformed import NOISE, NOT_FINITE, Malformed


def malformed_restorations() -> list[Malformed]:
    """All of them."""
    return [*_wrong_degradations(), *_wrong_restorations()]


def _restore(field: str, picture: types_pb2.Image, **options: Any) -> Malformed:
    wish = restoration_pb2.RestorationOptions(**options)
    request = restoration_pb2.RestoreRequest(image=picture, options=wish)
    return Malformed("RestorationService/Restore", request.SerializeToString(), field)


def _wrong_degradations() -> Iterator[Malformed]:
    identity, singular = np.eye(3).ravel(), np.diag([1, 1, 0.0]).ravel()
    resamplings: tuple[tuple[str, dict[str, int]], ...] = (
        ("rows", {}),
        ("rows", {"rows": 0}),
        ("rows", {"rows": 1}),
        ("columns", {"columns": 3}),
        ("columns", {"rows": 2, "columns": 2**32 - 1}),
    )
    wrong: list[tuple[str, dict[str, Any]]] = [
        *((f".resampling.{field}", {"resampling": times}) for field, times in resamplings),
        *((".blur", {"blur": value}) for value in (-1, 1.5, *NOT_FINITE)),
        *((".colour", {"colour": [*identity[:4], value, *identity[5:]]}) for value in (1e3, *NOT_FINITE)),
        *((".colour", {"colour": colour}) for colour in (identity[:8], 9 * [0], singular)),
        *((".mask", {"mask": types_pb2.Image(data=encoded(_level(level)))}) for level in (0, 127, 128, 255)),
        (".mask", {"mask": types_pb2.Image(data=encoded(_level(255)[:4]))}),
        (".mask.data", {"mask": types_pb2.Image(data=b"hello")}),
        ("", {"blur": 0}),
    ]
    for field, fields in wrong:
        yield _restore(
            f"options.degradation{field}", image(), degradation=restoration_pb2.Degradation(**fields)
        )


def _level(grey: int) -> NDArray[np.uint8]:
    return np.full((8, 8), grey, np.uint8)


def _wrong_restorations() -> Iterator[Malformed]:
    upscale, inpaint, denoise = (
        restoration_pb2.RESTORATION_PRESET_UPSCALE,
        restoration_pb2.RESTORATION_PRESET_INPAINT,
        restoration_pb2.RESTORATION_PRESET_DENOISE,
    )
    for number in (5, 2**31 - 1):
        yield _restore("options.preset", image(), preset=number)
    for side in (8, 9, 100):
        picture = types_pb2.Image(data=encoded(NOISE[:8, :8].repeat(13, 0).repeat(13, 1)[:side, :side]))
        yield _restore("image", picture, preset=upscale)
    yield _restore("options.degradation.mask", image(), preset=inpaint)
    yield _restore("options.keep_known", image(), preset=denoise, keep_known=True)
    mask = types_pb2.Image(data=encoded(_level(255)))
    inversions: tuple[tuple[str, dict[str, Any]], ...] = (
        ("method", {"method": "hybrid"}),
        ("preset", {"preset": types_pb2.PRESET_BEST}),
        ("min_in_domain", {"min_in_domain": 0.5}),
        ("refinement.mask", {"refinement": {"mask": mask}}),
        ("refinement.steps", {"refinement": {"steps": 2001}}),
        ("refinement.weights['smile']", {"refinement": {"weights": {"smile": 1}}}),
        ("latent.values", {"latent": latent(np.full(tiny.CODE, np.nan))}),
    )
    for field, fields in inversions:
        wish = inversion_pb2.InversionOptions(**fields)
        yield _restore(f"options.inversion.{field}", image(), preset=denoise, inversion=wish)
    for data in (b"hello", encoded(NOISE, "GIF"), encoded(NOISE)[:200]):
        yield _restore("image.data", types_pb2.Image(data=data), preset=denoise)
