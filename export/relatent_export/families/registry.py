"""The published families: one line each.

A family's module holds all that is its own: how its files are told, what they hold, how it is built, and a
note on its licence. To add one, write such a module and name its `FAMILY` here, under what it plays in a
pack. The order has no meaning: no two families may claim the same network.
"""

from __future__ import annotations

from relatent_export.families import (
    arcface,
    e4e,
    ganinverter,
    genforce_stylegan1,
    genforce_stylegan2,
    idinvert_encoder,
    idinvert_generator,
    nvlabs,
    perceptual,
    psp,
    restyle,
    rosinality,
)
from relatent_export.families.family import EncoderFamily, FeaturesFamily, GeneratorFamily, IdentityFamily

GENERATORS: tuple[GeneratorFamily, ...] = (
    rosinality.FAMILY,
    nvlabs.FAMILY,
    genforce_stylegan2.FAMILY,
    genforce_stylegan1.FAMILY,
    idinvert_generator.FAMILY,
)

ENCODERS: tuple[EncoderFamily, ...] = (
    psp.FAMILY,
    e4e.FAMILY,
    restyle.FAMILY,
    ganinverter.FAMILY,
    idinvert_encoder.FAMILY,
)

FEATURES: tuple[FeaturesFamily, ...] = (perceptual.FAMILY,)

IDENTITIES: tuple[IdentityFamily, ...] = (arcface.FAMILY,)
