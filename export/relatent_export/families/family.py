"""What a published family is: how its files are told, what they hold, how it is built, and its licence.

Each family has a module of its own, whose `FAMILY` is one of these, and a line in `registry`. What a family
plays in a pack is its class: a generator, an encoder, features to compare, an identity network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from relatent_export.nets.arcface import ArcFace
from relatent_export.nets.gradual_style import GradualStyleConfig
from relatent_export.nets.indomain_encoder import InDomainConfig
from relatent_export.nets.lpips import Lpips
from relatent_export.nets.networks import AnyEncoder, AnyGenerator
from relatent_export.nets.stylegan1 import StyleGAN1Config
from relatent_export.nets.stylegan2 import GeneratorConfig

Tensors = Mapping[str, Tensor]
"""By published name."""

Marks = tuple[tuple[str, str], ...]
"""Pairs of names, of which a network has both; where one name tells, it is there twice."""


@dataclass(frozen=True, eq=False)
class Part:
    """One network's tensors as a file holds them, not built yet.

    Attributes:
        what: what they are, for errors; begins with the file.
        tensors: by published name, without what comes before it in the file.
        latent_avg: the mean latent that came with them, float32 [D] or one for each layer, [L, D].
        options: what the family's code was told when it was trained, as plain data.
        place: what the names begin with in the file; empty, or ends with a dot.
    """

    what: str
    tensors: Tensors
    latent_avg: Tensor | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


def _claimed_by_its_marks(part: Part) -> bool:
    return True


@dataclass(frozen=True, eq=False, kw_only=True)
class Family:
    """Where published weights come from.

    Attributes:
        label: what `inspect` prints.
        licence: a note on the licence of the published code and weights.
        marks: names by which its networks are found in a file.
        claims: of a network with its marks, whether it is this family's: no other family may claim it, too.
            Raises `UnsupportedFile` for a kind that is known of no family.
        mean_beside: whether the mean latent lies beside the network, as `latent_avg`.
    """

    label: str
    licence: str
    marks: Marks
    claims: Callable[[Part], bool] = _claimed_by_its_marks
    mean_beside: bool = False

    def has_marks(self, tensors: Tensors) -> bool:
        """Whether a network has the family's names."""
        return any(name in tensors and other in tensors for name, other in self.marks)


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneratorFamily(Family):
    """Generators.

    Attributes:
        config: the shape of one, read off its tensors.
        build: one with its weights.

    Both raise `DamagedFile` or `UnsupportedFile`, whose message begins with the part's `what`.
    """

    config: Callable[[Part], GeneratorConfig | StyleGAN1Config]
    build: Callable[[Part], AnyGenerator]


@dataclass(frozen=True, eq=False, kw_only=True)
class EncoderFamily(Family):
    """Encoders to W+.

    Attributes:
        config: the shape of one, read off its tensors; given the layers of the generator that came with it,
            or None.
        build: one with its weights, for a generator.
        check: judges one by itself, by all that does not take a generator to tell.
        generator: whose generators come in one file with it; None if it comes by itself.
        kind: what to call one that has no `encoder_type`.
    """

    config: Callable[[Part, int | None], GradualStyleConfig | InDomainConfig]
    build: Callable[[Part, AnyGenerator], AnyEncoder]
    check: Callable[[Part], None]
    generator: GeneratorFamily | None = None
    kind: str = "of an unknown type"


@dataclass(frozen=True, eq=False, kw_only=True)
class FeaturesFamily(Family):
    """Networks whose features a perceptual distance compares.

    Attributes:
        build: one of several files, which hold its parts.
        check: judges a file by itself.
    """

    build: Callable[[Sequence[Part]], Lpips]
    check: Callable[[Part], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class IdentityFamily(Family):
    """Networks that tell whom a picture shows.

    Attributes:
        build: one with its weights.
    """

    build: Callable[[Part], ArcFace]
