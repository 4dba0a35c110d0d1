"""`relatent.v1.SynthesisService`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.noise import noise, spherical_path
from relatent.core.pack import Pack
from relatent.v1 import synthesis_pb2, synthesis_pb2_grpc
from relatent_service.catalog import ServedPacks
from relatent_service.editing.synthesizer import Images, Synthesizer
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Format
from relatent_service.rpc.context import Context, call_of
from relatent_service.rpc.messages import encode, image_message, latent_messages, timings_message
from relatent_service.rpc.reading.moves import read_numbers
from relatent_service.rpc.reading.operations import read_z_moves
from relatent_service.rpc.reading.values import read_latents, read_output_format
from relatent_service.settings import ServerSettings

DEFAULT_TRUNCATION = 0.7


@dataclass(frozen=True)
class SynthesisServicer(synthesis_pb2_grpc.SynthesisServiceServicer):
    """Makes images of latent codes."""

    packs: ServedPacks
    settings: ServerSettings
    synthesizer: Synthesizer

    async def Synthesize(  # noqa: N802
        self, request: synthesis_pb2.SynthesizeRequest, context: Context
    ) -> synthesis_pb2.SynthesizeResponse:
        """Make the images of given codes."""
        call = call_of(context, request)
        layout = read_output_format(request.output_format, "output_format")
        self._check_count(request.latents, "latents", "codes")
        if not request.latents[0].pack:
            raise InvalidField("latents[0].pack", "expected the name of the code's pack, got none")
        pack = self.packs.pack(request.latents[0].pack, "latents[0].pack")
        codes = read_latents(pack, request.latents, "latents")
        made = await self.synthesizer.synthesize(pack, codes, call)
        images = await encode(_messages, made, layout)
        return synthesis_pb2.SynthesizeResponse(images=images, timings=timings_message(call))

    async def Sample(  # noqa: N802
        self, request: synthesis_pb2.SampleRequest, context: Context
    ) -> synthesis_pb2.SampleResponse:
        """Make random images."""
        call = call_of(context, request)
        layout = read_output_format(request.output_format, "output_format")
        pack = self.packs.pack(request.pack, "pack")
        z = self._read_drawn(pack, request)
        psi = request.truncation if request.HasField("truncation") else DEFAULT_TRUNCATION
        if not 0 <= psi <= 1:
            raise InvalidField("truncation", f"expected 0 to 1, got {psi:g}")
        moves = read_z_moves(pack, request.z_moves, "z_moves")
        with moves.naming_fields():
            made = await self.synthesizer.sample(pack, z, moves.edit, psi, call)
        images = await encode(_messages, made, layout)
        return synthesis_pb2.SampleResponse(images=images, timings=timings_message(call))

    def _read_drawn(self, pack: Pack, request: synthesis_pb2.SampleRequest) -> NDArray[np.float32]:
        """What seeds draw, or lies on the path between two, float32 [N, Z]; the same on every server."""
        if not request.HasField("path"):
            self._check_count(request.seeds, "seeds", "seeds")
            return np.stack([noise(seed, pack.z_width) for seed in request.seeds])
        if request.seeds:
            raise InvalidField("seeds", f"expected none beside a path, got {len(request.seeds)}")
        path = request.path
        for index, amount in enumerate(read_numbers(path.amounts, self.settings.max_images, "path.amounts")):
            if not 0 <= amount <= 1:
                raise InvalidField(f"path.amounts[{index}]", f"expected 0 to 1, got {amount:g}")
        first, last = (noise(seed, pack.z_width) for seed in (path.first, path.last))
        return spherical_path(first, last, path.amounts)

    def _check_count(self, values: Sequence[object], field: str, what: str) -> None:
        if not 1 <= len(values) <= self.settings.max_images:
            raise InvalidField(field, f"expected 1 to {self.settings.max_images} {what}, got {len(values)}")


def _messages(made: Images, layout: Format) -> list[synthesis_pb2.SynthesizedImage]:
    return [
        synthesis_pb2.SynthesizedImage(latent=latent, image=image_message(image, layout))
        for latent, image in zip(latent_messages(made.pack, made.codes), made.pixels, strict=True)
    ]
