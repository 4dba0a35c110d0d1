"""GANInverter's checkpoints: its encoder is a module of its own, around the network and the mean latent.

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
    is_module_of_its_own,
)


def _claims(part: Part) -> bool:
    return is_module_of_its_own(part) and not is_iterative(part)


FAMILY = EncoderFamily(
    label="GANInverter",
    licence=LICENCE,
    marks=MARKS,
    claims=_claims,
    mean_beside=True,
    config=encoder_config,
    build=build_encoder,
    check=check_encoder,
    generator=rosinality.FAMILY,
)
