"""Values as the client makes them, for what the page does with them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from relatent.client.catalog import AttributeInfo, MethodInfo, PackInfo, TextInfo
from relatent.client.images import ImageFormat, Picture
from relatent.client.latents import LatentCode
from relatent.client.results import EditedImage, Inversion, Timings
from relatent.core.presets import Preset, PresetChoice
from relatent.core.quality import Quality
from relatent.core.spaces import Space
from relatent.core.stopping import StopReason

SIDE = 8


def method(name: str, space: Space = Space.W_PLUS, inputs: tuple[str, ...] = ("mask",)) -> MethodInfo:
    return MethodInfo(name, space, (), 100, (), inputs)


METHODS = (
    method("feature", Space.FEATURE),
    method("hybrid"),
    method("restore"),
    method("text", inputs=("text",)),
)
PACK = PackInfo(
    name="made", revision="1" * 64, description="", licence="", provenance="", resolution=SIDE, layers=2,
    width=4, attributes=("age", "glasses"), directions=(), losses=(), default_steps=100, encoder=True,
    compare_side=SIDE, metrics=(), methods={each.name: each for each in METHODS},
    presets={Preset.BEST: PresetChoice("feature", 100), Preset.FAST: PresetChoice("encoder", 0)},
    described={
        "age": AttributeInfo("age", "years", 20, 80),
        "glasses": AttributeInfo("glasses", "", 0, 1),
        "unmeasured": AttributeInfo("unmeasured", "", 0, 0),
    },
    exact_edits=True, text=TextInfo(32, "a person", 1.0, 0.2),
)  # fmt: skip


def picture(grey: int = 100) -> Picture:
    return Picture(png(Image.new("RGB", (SIDE, SIDE), (grey,) * 3)), ImageFormat.PNG, SIDE, SIDE)


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def latent(value: float = 0.0) -> LatentCode:
    return LatentCode(np.full((2, 4), value, np.float32), PACK.name, PACK.revision)


def inversion(value: float = 0.0, psnr: float = 40.0, steps: int = 5, method: str = "hybrid") -> Inversion:
    return Inversion(
        latent(value), picture(), Quality(10 ** (-psnr / 10), psnr, 0.9, 0.01), (), StopReason.STEPS, steps,
        Timings(0, 0, 0), method=method,
    )  # fmt: skip


def edited(grey: int = 120, value: float = 0.5) -> EditedImage:
    return EditedImage(latent(value), picture(grey), 1.0)
