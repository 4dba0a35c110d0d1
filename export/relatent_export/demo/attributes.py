"""The sixteen factors as people see them: units, ranges and names."""

from __future__ import annotations

from relatent.core.attributes import Attribute
from relatent_export.demo.factors import FACTORS

_SHOWN: dict[str, tuple[str, str, float, float]] = {
    "yaw": ("yaw", "deg", -30, 30),
    "pitch": ("pitch", "deg", -20, 20),
    "smile": ("smile", "", -1, 1),
    "mouth_open": ("open mouth", "", 0, 1),
    "eye_open": ("open eyes", "", 0, 1),
    "brow": ("raised brows", "", -1, 1),
    "glasses": ("glasses", "", 0, 1),
    "hair_length": ("length of the hair", "", 0, 1),
    "hair_tone": ("lightness of the hair", "", 0, 1),
    "skin": ("lightness of the skin", "", 0, 1),
    "age": ("age", "years", 20, 80),
    "width": ("width of the face", "", -1, 1),
    "light": ("side of the light", "", -1, 1),
    "background_hue": ("hue of the background", "", 0, 1),
    "background_value": ("lightness of the background", "", 0, 1),
    "shirt_hue": ("hue of the shirt", "", 0, 1),
}
"""By factor: what people call it, the unit, and the values at -1 and 1. Degrees and years are what the
drawings look like; nothing in them was measured with an instrument."""


def described() -> tuple[Attribute, ...]:
    """The factors, each read as -1 to 1, in the order of `FACTORS`."""
    return tuple(
        Attribute(
            name,
            label,
            unit,
            float(low),
            float(high),
            scale=(high - low) / 2,
            offset=(high + low) / 2,
        )
        for name in FACTORS
        for label, unit, low, high in (_SHOWN[name],)
    )
