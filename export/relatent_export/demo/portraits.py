"""Procedural portraits: sixteen factors in, a drawing out, at any resolution.

A drawing is painted back to front with anti-aliased shapes given as signed distances (negative
inside). Coordinates run from -1 to 1, x to the right, y down. Turning the head (yaw, pitch) moves
each feature by its depth, as a real head does: the nose most, the hair behind not at all.
"""

from __future__ import annotations

import torch
from torch import Tensor

from relatent_export.demo.factors import FACTORS

_INK = (0.10, 0.09, 0.12)
_WHITE = (0.97, 0.96, 0.94)


def draw_portraits(factors: Tensor, resolution: int) -> Tensor:
    """Draw portraits.

    Args:
        factors: float32 [n, 16] in [-1, 1], columns in the order of `FACTORS`.
        resolution: side of the square drawing in pixels.

    Returns:
        uint8 [n, 3, resolution, resolution].

    Raises:
        ValueError: if `factors` has not 16 columns.
    """
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(f"factors: expected [n, {len(FACTORS)}], got {list(factors.shape)}")
    with torch.no_grad():
        image = _PortraitDrawing(factors.float(), resolution).draw()
        return (image.clamp_(0, 1) * 255).round_().to(torch.uint8)


class _PortraitDrawing:
    """One batch of drawings in progress: the factors, the palette and the canvas."""

    def __init__(self, factors: Tensor, resolution: int) -> None:
        n = len(factors)
        self.value = {name: factors[:, i, None, None] for i, name in enumerate(FACTORS)}  # each [n, 1, 1]
        self.unit = {name: v * 0.5 + 0.5 for name, v in self.value.items()}  # in [0, 1]
        axis = (torch.arange(resolution) + 0.5) / resolution * 2 - 1
        self.x, self.y = axis[None, None, :], axis[None, :, None]
        self.pixel = 2 / resolution
        self.image = torch.zeros(n, 3, resolution, resolution)
        self._mix_palette()
        self._place_features()

    def draw(self) -> Tensor:
        self._background()
        self._hair_behind()
        self._body()
        self._head()
        self._wrinkles()
        self._nose()
        self._mouth()
        self._eyes()
        self._hair_in_front()
        self._glasses()
        return self.image

    # The palette and the geometry that several features share.

    def _mix_palette(self) -> None:
        unit = self.unit
        tone = unit["hair_tone"]
        hair = _rgb(0.10 + 0.78 * tone, 0.07 + 0.58 * tone, 0.07 + 0.22 * tone)
        grey = 0.62 * unit["age"][:, None] ** 2
        self.hair = hair * (1 - grey) + 0.74 * grey
        skin = unit["skin"]
        self.skin = _rgb(0.40 + 0.58 * skin, 0.25 + 0.56 * skin, 0.17 + 0.53 * skin)
        self.shirt = _hue(self.value["shirt_hue"], 0.62, 0.78)
        self.backdrop = _hue(self.value["background_hue"], 0.42, 0.52 + 0.34 * self.value["background_value"])

    def _place_features(self) -> None:
        self.turn, self.nod = self.value["yaw"], self.value["pitch"]
        self.face_x, self.face_y = 0.05 * self.turn, 0.02 + 0.03 * self.nod
        self.half_width = 0.43 + 0.065 * self.value["width"]
        self.eye_x, self.eye_y = 0.15 * self.turn, -0.06 + 0.085 * self.nod
        # The far eye comes nearer to the middle line as the head turns away.
        self.eye_at = {
            side: self.eye_x + side * 0.185 * (1 - 0.28 * (side * self.turn).clamp(min=0)) for side in (-1, 1)
        }

    # Painting.

    def _cover(self, distance: Tensor, softness: float = 0.0) -> Tensor:
        """How much of each pixel a shape covers, [0, 1], from its signed distance."""
        return (0.5 - distance / (self.pixel + softness)).clamp_(0, 1)

    def _paint(self, cover: Tensor, colour: Tensor | tuple[float, float, float]) -> None:
        if isinstance(colour, tuple):
            colour = torch.tensor(colour)[None, :, None, None]
        self.image += cover[:, None] * (colour - self.image)

    def _ellipse(self, x: Tensor, y: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
        small = torch.minimum(torch.as_tensor(a), torch.as_tensor(b))
        return (torch.sqrt(((self.x - x) / a) ** 2 + ((self.y - y) / b) ** 2 + 1e-9) - 1) * small

    def _stroke(self, x: Tensor, half_length: Tensor | float, line: Tensor, half: Tensor | float) -> Tensor:
        """A stroke along the curve y = line(x), thinning out towards both ends."""
        along = (self.x - x).abs() / half_length
        return torch.maximum(
            (self.y - line).abs() - half * (1.15 - 0.6 * along**2), (along - 1) * half_length
        )

    # The layers, back to front.

    def _background(self) -> None:
        vignette = 1.08 - 0.16 * (self.x**2 + self.y**2) - 0.06 * self.y
        self.image += self.backdrop * vignette[:, None]

    def _hair_behind(self) -> None:
        length = self.unit["hair_length"]
        a = self.half_width + 0.12
        cap = self._ellipse(0.02 * self.turn, torch.tensor(-0.14), a, torch.tensor(0.68))
        bottom = -0.10 + 0.95 * length
        fall = torch.maximum((self.x - 0.02 * self.turn).abs() - a + 0.01, -0.14 - self.y)
        behind = torch.maximum(torch.minimum(cap, fall), self.y - bottom)
        shade = 0.80 - 0.12 * self.y
        self._paint(self._cover(behind), self.hair * shade[:, None])

    def _body(self) -> None:
        neck = torch.maximum(self.x.abs() - (0.17 + 0.10 * (self.y - 0.45) ** 2), 0.3 - self.y)
        chin_shadow = 0.66 + 0.22 * ((self.y - 0.52) / 0.25).clamp(0, 1)
        self._paint(self._cover(neck), self.skin * chin_shadow[:, None])
        shoulders = self._ellipse(torch.tensor(0.0), torch.tensor(1.16), 0.86, 0.42)
        collar = self._ellipse(torch.tensor(0.0), torch.tensor(0.70), 0.21, 0.16)
        folds = 1.02 - 0.35 * self.x**2 + 0.05 * self.value["light"] * self.x
        self._paint(self._cover(torch.maximum(shoulders, -collar)), self.shirt * folds[:, None])
        rim = torch.maximum((collar - 0.02).abs() - 0.025, shoulders)
        self._paint(self._cover(rim) * (self.y > 0.7), self.shirt * 0.72)

    def _head(self) -> None:
        jaw = ((self.y - self.face_y - 0.05) / 0.5).clamp(0, 1)
        width = self.half_width * (1 - 0.17 * jaw**2)
        across = (self.x - self.face_x) / width
        lit = 1.02 + 0.30 * self.value["light"] * across - 0.10 * across**2 - 0.07 * self.y
        tone = self.skin * lit.clamp(0.45, 1.4)[:, None]
        for side in (-1, 1):
            ear = self._ellipse(
                self.face_x * 0.3 + side * (self.half_width - 0.01), self.eye_y + 0.08, 0.07, 0.12
            )
            self._paint(self._cover(ear), self.skin * (0.86 + 0.16 * side * self.value["light"])[:, None])
        self.face = self._cover(self._ellipse(self.face_x, self.face_y, width, 0.575))
        self._paint(self.face, tone)
        for side in (-1, 1):
            cheek = self._ellipse(self.eye_at[side] * 1.25, self.eye_y + 0.25, 0.13, 0.09)
            blush = self._cover(cheek, softness=0.16) * self.face * 0.20
            self._paint(blush, self.skin * _rgb_constant(1.05, 0.66, 0.62))

    def _wrinkles(self) -> None:
        age = self.unit["age"]
        dark = self.skin * 0.58
        for row in range(2):
            line = self.eye_y - 0.29 - 0.07 * row + 0.10 * (self.x - self.eye_x) ** 2
            stroke = self._stroke(self.eye_x, 0.20, line, 0.012)
            self._paint(self._cover(stroke) * (age * 1.3 - 0.3).clamp(0, 1) * 0.8 * self.face, dark)
        for side in (-1, 1):
            bag_line = self.eye_y + 0.135 - 1.6 * (self.x - self.eye_at[side]) ** 2
            self._paint(
                self._cover(self._stroke(self.eye_at[side], 0.095, bag_line, 0.011)) * age * 0.75, dark
            )
            fold_x = self.eye_x + side * (0.15 + 0.30 * (self.y - self.eye_y - 0.22))
            fold = torch.maximum((self.x - fold_x).abs() - 0.011, (self.y - self.eye_y - 0.31).abs() - 0.10)
            self._paint(self._cover(fold) * age * 0.65 * self.face, dark)

    def _nose(self) -> None:
        tip_x, tip_y = 0.235 * self.turn, self.eye_y + 0.225 + 0.03 * self.nod
        down = ((self.y - self.eye_y) / 0.24).clamp(0, 1)
        ridge_x = self.eye_x + (tip_x - self.eye_x) * down
        side = torch.where(self.turn >= 0, 1.0, -1.0)
        ridge = torch.maximum(
            (self.x - ridge_x - side * 0.035 * down).abs() - 0.018,
            torch.maximum(self.eye_y + 0.02 - self.y, self.y - tip_y),
        )
        self._paint(self._cover(ridge, softness=0.02) * 0.45, self.skin * 0.70)
        self._paint(self._cover(self._ellipse(tip_x, tip_y, 0.065, 0.038), 0.02) * 0.75, self.skin * 0.70)
        gleam = self._ellipse(tip_x - 0.01, tip_y - 0.05, 0.028, 0.04)
        self._paint(self._cover(gleam, 0.03) * 0.45, (self.skin * 1.25).clamp(max=1))

    def _mouth(self) -> None:
        smile, opening = self.value["smile"], self.unit["mouth_open"]
        x, y = 0.16 * self.turn, 0.355 + 0.085 * self.nod
        half = 0.165 + 0.03 * smile
        curve = y + 0.055 * smile - 3.0 * smile * (self.x - x) ** 2
        bow = (1 - ((self.x - x) / half) ** 2).clamp(0, 1)
        ends = (self.x - x).abs() - half
        gap = 0.085 * opening * bow.sqrt()
        lips = torch.maximum((self.y - curve).abs() - (0.018 + 0.022 * bow + gap), ends)
        self._paint(
            self._cover(lips), self.skin * _rgb_constant(0.86, 0.42, 0.44) + _rgb_constant(0.10, 0.02, 0.03)
        )
        inside = torch.maximum((self.y - curve).abs() - (gap - 0.004), ends + 0.015)
        self._paint(self._cover(inside), (0.28, 0.07, 0.09))
        teeth = torch.maximum(inside, self.y - curve + 0.25 * gap)
        self._paint(self._cover(teeth), _WHITE)

    def _eyes(self) -> None:
        opening = 0.022 + 0.062 * self.unit["eye_open"]
        lift = 0.055 * self.value["brow"]
        for side in (-1, 1):
            x = self.eye_at[side]
            lid = self._ellipse(x, self.eye_y, 0.102, opening)
            self._paint(self._cover(lid - 0.016), self.skin * 0.50)
            self._paint(self._cover(lid), _WHITE)
            gaze_x, gaze_y = x + 0.03 * self.turn, self.eye_y + 0.01 * self.nod
            iris = torch.maximum(self._ellipse(gaze_x, gaze_y, 0.055, 0.055), lid)
            self._paint(self._cover(iris), (0.20, 0.36, 0.47))
            pupil = torch.maximum(self._ellipse(gaze_x, gaze_y, 0.028, 0.028), lid)
            self._paint(self._cover(pupil), _INK)
            glint = torch.maximum(self._ellipse(gaze_x + 0.02, gaze_y - 0.02, 0.014, 0.014), lid)
            self._paint(self._cover(glint), (1.0, 1.0, 1.0))
            # A raised brow arches; a lowered one slants down towards the nose.
            inward = -side * (self.x - x)
            line = self.eye_y - 0.165 - lift + 1.4 * (self.x - x) ** 2 - 0.9 * lift.clamp(max=0) * 4 * inward
            self._paint(self._cover(self._stroke(x, 0.125, line, 0.024)), self.hair * 0.60)

    def _hair_in_front(self) -> None:
        cap = self._ellipse(self.face_x * 0.6, torch.tensor(-0.13), self.half_width + 0.055, 0.60)
        parting = self.x - 0.10 * self.turn + 0.12
        hairline = -0.365 + 0.05 * self.nod + 0.35 * parting**2
        fringe = torch.maximum(cap, self.y - hairline)
        sheen = 1.0 + 0.18 * torch.exp(-(((self.y + 0.50) / 0.10) ** 2)) + 0.10 * self.value["light"] * self.x
        self._paint(self._cover(fringe), (self.hair * sheen[:, None]).clamp(max=1))

    def _glasses(self) -> None:
        strength = self.unit["glasses"]
        for side in (-1, 1):
            x = self.eye_at[side] + side * 0.008
            rim = self._ellipse(x, self.eye_y + 0.01, 0.152, 0.128)
            self._paint(self._cover(rim) * strength * 0.16, (0.80, 0.90, 1.0))
            self._paint(self._cover(rim.abs() - 0.019) * strength, _INK)
            temple = torch.maximum(
                (self.y - self.eye_y + 0.02).abs() - 0.014,
                torch.maximum(side * (x - self.x) + 0.15, side * (self.x - self.face_x) - self.half_width),
            )
            self._paint(self._cover(temple) * strength, _INK)
        bridge = torch.maximum(
            self.eye_at[-1] + 0.14 - self.x,
            torch.maximum(self.x - self.eye_at[1] + 0.14, (self.y - self.eye_y + 0.01).abs() - 0.014),
        )
        self._paint(self._cover(bridge) * strength, _INK)


def _rgb(red: Tensor, green: Tensor, blue: Tensor) -> Tensor:
    """Three [n, 1, 1] channels as one colour a portrait, [n, 3, 1, 1]."""
    return torch.stack([red, green, blue], 1)


def _rgb_constant(red: float, green: float, blue: float) -> Tensor:
    return torch.tensor([red, green, blue])[None, :, None, None]


def _hue(factor: Tensor, saturation: float, value: Tensor | float) -> Tensor:
    """A colour whose hue turns by 300 degrees as the factor goes from -1 to 1.

    300 and not 360, so that nothing wraps around: the factor is a function of the colour.
    """
    sector = (factor * 150 + 170) / 60
    value = torch.as_tensor(value).expand_as(factor)
    channels = []
    for shift in (5.0, 3.0, 1.0):
        k = (shift + sector) % 6
        ramp = torch.minimum(k, 4 - k).clamp(0, 1)
        channels.append(value - value * saturation * ramp)
    return torch.stack(channels, 1)
