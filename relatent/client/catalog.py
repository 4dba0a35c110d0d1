"""What a server has: its catalog as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relatent.core.domain import Domain
from relatent.core.methods import StartRule
from relatent.core.presets import Preset, PresetChoice
from relatent.core.spaces import Space


@dataclass(frozen=True)
class DirectionInfo:
    """An edit direction of a pack.

    Attributes:
        attribute: the attribute it moves; empty where not known.
        first_layer, last_layer: layers it moves unless told otherwise, both included.
        calibration: attribute units per unit of strength; 0 where not measured.
        min_strength, max_strength: the range that makes sense, measured, or as published.
        space: where it lives; one of Z moves no codes, only what samples are drawn from;
            one of P moves codes as they are before the mapping network's last leaky ReLU.
        licence: its own, an SPDX identifier or a sentence; empty where not known.
        source: where it comes from; empty where not known.
        method: the finder that found it; empty where not known.
        leak: mean change of all other attributes, in percent of their ranges, where it takes its own a
            quarter of its range; None where not measured.
        learned: whether a network moves codes, each by a way of its own, rather than one vector all alike.
    """

    name: str
    attribute: str
    first_layer: int
    last_layer: int
    calibration: float
    min_strength: float
    max_strength: float
    space: Space
    licence: str
    source: str
    method: str = ""
    leak: float | None = None
    learned: bool = False


@dataclass(frozen=True)
class TextInfo:
    """Edits by texts (`relatent.Text`) that a pack has.

    Attributes:
        tokens: of a text at most.
        neutral: what the pack's images show in general, for `Text.neutral`.
        strength: of `Text.strength` unless told otherwise.
        beta: of `Text.beta` unless told otherwise.
    """

    tokens: int
    neutral: str
    strength: float
    beta: float


@dataclass(frozen=True)
class AttributeInfo:
    """Something that a pack's attribute network reads off images.

    Attributes:
        label: what people call it.
        unit: of its values; empty for a number without one.
        low, high: the values that make sense; the same where they were not measured.
    """

    label: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class LossTerm:
    """A term of a method's objective and its weight unless told otherwise."""

    name: str
    default_weight: float


@dataclass(frozen=True)
class MethodInfo:
    """A way of inverting that a pack has.

    Attributes:
        space: of the codes that it finds.
        losses: the terms of its objective.
        default_steps: steps of an inversion unless told otherwise.
        starts: where it may start, other than at a checkpoint; the first unless told otherwise.
        inputs: further inputs that it takes, such as `mask`.
        measured: what it was measured to reach in its default steps, by the figure's name.
        code_bytes: of a code.
    """

    name: str
    space: Space
    losses: tuple[LossTerm, ...]
    default_steps: int
    starts: tuple[StartRule, ...]
    inputs: tuple[str, ...]
    measured: Mapping[str, float] = field(default_factory=dict)
    code_bytes: int = 0


@dataclass(frozen=True)
class PackInfo:
    """A model family that a server has.

    Attributes:
        revision: SHA-256, in hex, over its mapping and synthesis weights.
        resolution: height and width of its images in pixels.
        layers, width: shape of a W+ code.
        attributes: what its attribute network measures.
        losses: the terms of its default method's objective.
        default_steps: steps of an inversion by that method unless told otherwise.
        encoder: whether it has one; without, inversions start from the mean latent.
        compare_side: height and width, in pixels, at which refinement compares images.
        metrics: what its reconstructions are measured by.
        methods: its ways of inverting by name, the default first.
        presets: what it does for each quality.
        domain: how far genuine images are from what its generator makes; None where it does not know.
        described: the attributes, by name.
        exact_edits: whether edits may aim at attributes (`Reach`).
        text: edits by texts (`Text`); None where it has no image-text model.
    """

    name: str
    revision: str
    description: str
    licence: str
    provenance: str
    resolution: int
    layers: int
    width: int
    attributes: tuple[str, ...]
    directions: tuple[DirectionInfo, ...]
    losses: tuple[LossTerm, ...]
    default_steps: int
    encoder: bool
    compare_side: int
    metrics: tuple[str, ...]
    methods: Mapping[str, MethodInfo] = field(default_factory=dict)
    presets: Mapping[Preset, PresetChoice] = field(default_factory=dict)
    domain: Domain | None = None
    described: Mapping[str, AttributeInfo] = field(default_factory=dict)
    exact_edits: bool = False
    text: TextInfo | None = None


@dataclass(frozen=True)
class Limits:
    """What a server accepts: bytes, pixels, steps, and images of one call."""

    max_message_bytes: int
    max_image_bytes: int
    max_image_pixels: int
    max_steps: int
    max_images: int


@dataclass(frozen=True)
class Catalog:
    """What a server has.

    Attributes:
        packs: by name.
        limits: what the server accepts.
    """

    packs: Mapping[str, PackInfo]
    limits: Limits
