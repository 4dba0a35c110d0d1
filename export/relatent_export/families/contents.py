"""What a file was recognised as."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from relatent_export.directions.formats.published import DirectionFile, DirectionFormat
from relatent_export.families.family import (
    EncoderFamily,
    Family,
    FeaturesFamily,
    GeneratorFamily,
    IdentityFamily,
    Part,
)

AnyFamily = TypeVar("AnyFamily", bound=Family)


@dataclass(frozen=True, eq=False)
class RecognisedNetwork(Generic[AnyFamily]):
    """A network in a file: whose it is, and its tensors."""

    family: AnyFamily
    part: Part


@dataclass(frozen=True, eq=False)
class Contents:
    """What a file holds, recognised but not built: one thing, or an encoder with its generator.

    Attributes:
        path: of the file.
        directions: what a file of directions was parsed into.
    """

    path: Path
    generator: RecognisedNetwork[GeneratorFamily] | None = None
    encoder: RecognisedNetwork[EncoderFamily] | None = None
    features: RecognisedNetwork[FeaturesFamily] | None = None
    identity: RecognisedNetwork[IdentityFamily] | None = None
    directions: DirectionFile | None = None

    @property
    def origin(self) -> Family | DirectionFormat:
        """Whose file it is: of an encoder with its generator, the encoder's family."""
        network = self.encoder or self.generator or self.features or self.identity
        if network is not None:
            return network.family
        if self.directions is not None:
            return self.directions.format
        raise ValueError(f"{self.path}: holds nothing")
