"""ReStyle (Alaluf et al. 2021), over pSp or e4e: an encoder of an image and its reconstruction, iterated.

Licence: MIT for the code; weights trained on FFHQ and from NVIDIA's generator inherit their non-commercial
terms.
"""

from __future__ import annotations

from relatent_export.families import rosinality
from relatent_export.families.family import EncoderFamily, Part
from relatent_export.families.shared.gradual_style import (
    LICENCE,
    MARKS,
    build_encoder,
    check_encoder,
    encoder_config,
    is_iterative,
)


def _claims(part: Part) -> bool:
    return is_iterative(part)


FAMILY = EncoderFamily(
    label="ReStyle",
    licence=LICENCE,
    marks=MARKS,
    claims=_claims,
    mean_beside=True,
    config=encoder_config,
    build=build_encoder,
    check=check_encoder,
    generator=rosinality.FAMILY,
)
