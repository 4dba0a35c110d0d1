"""Latent spaces and the types of their codes' numbers, as they travel."""

from __future__ import annotations

from typing import Any

import numpy as np

from relatent.core.presets import Preset
from relatent.core.spaces import Space
from relatent.v1 import types_pb2

SPACES = {
    Space.W: types_pb2.LATENT_SPACE_W,
    Space.W_PLUS: types_pb2.LATENT_SPACE_W_PLUS,
    Space.FEATURE: types_pb2.LATENT_SPACE_FEATURE,
    Space.LAYERED: types_pb2.LATENT_SPACE_LAYERED,
    Space.MULTI: types_pb2.LATENT_SPACE_MULTI,
    Space.STYLE: types_pb2.LATENT_SPACE_S,
}
TYPES = {"float32": types_pb2.ELEMENT_TYPE_FLOAT32, "float16": types_pb2.ELEMENT_TYPE_FLOAT16}
LAYOUTS: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2")}
"""How the numbers of a type lie in bytes."""
PRESETS = {
    Preset.FAST: types_pb2.PRESET_FAST,
    Preset.BALANCED: types_pb2.PRESET_BALANCED,
    Preset.BEST: types_pb2.PRESET_BEST,
}
