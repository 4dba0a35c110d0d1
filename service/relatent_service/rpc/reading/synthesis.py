"""What a caller asks of codes' images and of samples, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.codes import Codes
from relatent.core.noise import noise, spherical_path
from relatent.core.pack import Pack
from relatent.v1 import synthesis_pb2
from relatent_service.catalog import ServedPacks
from relatent_service.editing.synthesizer import images_work, samples_work
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Format
from relatent_service.rpc.reading.moves import read_numbers
from relatent_service.rpc.reading.operations import ParsedEdit, read_z_moves
from relatent_service.rpc.reading.values import read_latents, read_output_format
from relatent_service.settings import ServerSettings
from relatent_service.traffic.forecast import Work

DEFAULT_TRUNCATION = 0.7


@dataclass(frozen=True)
class ParsedSynthesis:
    """Images of codes, asked for.

    Attributes:
        pack: whose codes.
        codes: N of them.
        output_format: of the images.
    """

    pack: Pack
    codes: Codes
    output_format: Format

    @property
    def work(self) -> Work:
        """What it will ask of the engine."""
        return images_work(self.pack, self.codes)


@dataclass(frozen=True)
class ParsedSample:
    """Random images, asked for.

    Attributes:
        pack: to sample.
        z: what is drawn, float32 [N, Z].
        moves: of what is drawn.
        psi: truncation, 0 to 1.
        output_format: of the images.
    """

    pack: Pack
    z: NDArray[np.float32]
    moves: ParsedEdit
    psi: float
    output_format: Format

    @property
    def work(self) -> Work:
        """What it will ask of the engine."""
        return samples_work(self.pack, len(self.z))


def read_synthesis(
    packs: ServedPacks, settings: ServerSettings, request: synthesis_pb2.SynthesizeRequest
) -> ParsedSynthesis:
    """Check a request for images of codes.

    Raises:
        ServiceError: a field is not what it must be, or names something that is not there.
    """
    layout = read_output_format(request.output_format, "output_format")
    _check_count(settings, request.latents, "latents", "codes")
    if not request.latents[0].pack:
        raise InvalidField("latents[0].pack", "expected the name of the code's pack, got none")
    pack = packs.pack(request.latents[0].pack, "latents[0].pack")
    return ParsedSynthesis(pack, read_latents(pack, request.latents, "latents"), layout)


def read_sample(
    packs: ServedPacks, settings: ServerSettings, request: synthesis_pb2.SampleRequest
) -> ParsedSample:
    """Check a request for random images.

    Raises:
        ServiceError: a field is not what it must be, or names something that is not there.
    """
    layout = read_output_format(request.output_format, "output_format")
    pack = packs.pack(request.pack, "pack")
    z = _read_drawn(settings, pack, request)
    psi = request.truncation if request.HasField("truncation") else DEFAULT_TRUNCATION
    if not 0 <= psi <= 1:
        raise InvalidField("truncation", f"expected 0 to 1, got {psi:g}")
    return ParsedSample(pack, z, read_z_moves(pack, request.z_moves, "z_moves"), psi, layout)


def _read_drawn(
    settings: ServerSettings, pack: Pack, request: synthesis_pb2.SampleRequest
) -> NDArray[np.float32]:
    """What seeds draw, or lies on the path between two, float32 [N, Z]; the same on every server."""
    if not request.HasField("path"):
        _check_count(settings, request.seeds, "seeds", "seeds")
        return np.stack([noise(seed, pack.z_width) for seed in request.seeds])
    if request.seeds:
        raise InvalidField("seeds", f"expected none beside a path, got {len(request.seeds)}")
    path = request.path
    for index, amount in enumerate(read_numbers(path.amounts, settings.max_images, "path.amounts")):
        if not 0 <= amount <= 1:
            raise InvalidField(f"path.amounts[{index}]", f"expected 0 to 1, got {amount:g}")
    first, last = (noise(seed, pack.z_width) for seed in (path.first, path.last))
    return spherical_path(first, last, path.amounts)


def _check_count(settings: ServerSettings, values: Sequence[object], field: str, what: str) -> None:
    if not 1 <= len(values) <= settings.max_images:
        raise InvalidField(field, f"expected 1 to {settings.max_images} {what}, got {len(values)}")
