"""e4e, "Designing an Encoder for StyleGAN Image Manipulation" (Tov et al. 2021): layers as offsets from one.

Licence: MIT for the code; weights trained on FFHQ and from NVIDIA's generator inherit their non-commercial
terms.
"""

from __future__ import annotations

from relatent_export.families import rosinality
from relatent_export.families.family import EncoderFamily, Part
from relatent_export.families.shared.encoder_kinds import encoder_type
from relatent_export.families.shared.gradual_style import (
    LICENCE,
    MARKS,
    build_encoder,
    check_encoder,
    encoder_config,
    is_iterative,
    is_module_of_its_own,
)

_TYPES = ("Encoder4Editing", "SingleStyleCodeEncoder")


def _claims(part: Part) -> bool:
    return not is_iterative(part) and not is_module_of_its_own(part) and encoder_type(part) in _TYPES


FAMILY = EncoderFamily(
    label="e4e",
    licence=LICENCE,
    marks=MARKS,
    claims=_claims,
    mean_beside=True,
    config=encoder_config,
    build=build_encoder,
    check=check_encoder,
    generator=rosinality.FAMILY,
)
