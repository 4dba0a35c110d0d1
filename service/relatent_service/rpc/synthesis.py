"""`relatent.v1.SynthesisService`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.v1 import synthesis_pb2, synthesis_pb2_grpc
from relatent_service.catalog import Catalog
from relatent_service.editing.latents import noise
from relatent_service.engine.models import GraphKind, Models
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Format
from relatent_service.rpc.context import Context, call_of
from relatent_service.rpc.messages import (
    image_message,
    latent_message,
    read_latent,
    read_output_format,
    timings_message,
)
from relatent_service.rpc.reading.moves import read_z_moves, run_in_order
from relatent_service.settings import Settings
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.forecast import Work

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

DEFAULT_TRUNCATION = 0.7


@dataclass(frozen=True)
class SynthesisServicer(synthesis_pb2_grpc.SynthesisServiceServicer):
    """Makes images of latent codes."""

    catalog: Catalog
    settings: Settings
    admission: Admission
    models: Models

    async def Synthesize(  # noqa: N802
        self, request: synthesis_pb2.SynthesizeRequest, context: Context
    ) -> synthesis_pb2.SynthesizeResponse:
        """Make the images of given codes."""
        call = call_of(context)
        layout = read_output_format(request.output_format, "output_format")
        self._check_count(request.latents, "latents", "codes")
        if not request.latents[0].pack:
            raise InvalidField("latents[0].pack", "expected the name of the code's pack, got none")
        pack = self.catalog.pack(request.latents[0].pack, "latents[0].pack")
        codes = np.stack(
            [read_latent(pack, latent, f"latents[{index}]") for index, latent in enumerate(request.latents)]
        )
        async with self.admission.place(Work({GraphKind.SYNTHESIZE.of(pack): len(codes)}), call):
            pixels = await self.models.synthesize(pack, codes, call)
        images = await asyncio.to_thread(_images, pack, codes, pixels, layout)
        return synthesis_pb2.SynthesizeResponse(images=images, timings=timings_message(call))

    async def Sample(  # noqa: N802
        self, request: synthesis_pb2.SampleRequest, context: Context
    ) -> synthesis_pb2.SampleResponse:
        """Make random images."""
        call = call_of(context)
        layout = read_output_format(request.output_format, "output_format")
        pack = self.catalog.pack(request.pack, "pack")
        self._check_count(request.seeds, "seeds", "seeds")
        psi = request.truncation if request.HasField("truncation") else DEFAULT_TRUNCATION
        if not 0 <= psi <= 1:
            raise InvalidField("truncation", f"expected 0 to 1, got {psi:g}")
        moves = read_z_moves(pack, request.z_moves, "z_moves")
        z = np.stack([noise(seed, pack.z_width) for seed in request.seeds])
        z = run_in_order(moves, z[:, None])[:, 0]
        work = Work({GraphKind.MAP.of(pack): len(z), GraphKind.SYNTHESIZE.of(pack): len(z)})
        async with self.admission.place(work, call):
            codes = await self.models.map(pack, z, psi, call)
            pixels = await self.models.synthesize(pack, codes, call)
        images = await asyncio.to_thread(_images, pack, codes, pixels, layout)
        return synthesis_pb2.SampleResponse(images=images, timings=timings_message(call))

    def _check_count(self, values: Sequence[object], field: str, what: str) -> None:
        if not 1 <= len(values) <= self.settings.max_images:
            raise InvalidField(field, f"expected 1 to {self.settings.max_images} {what}, got {len(values)}")


def _images(
    pack: Pack, codes: Floats, pixels: Pixels, layout: Format
) -> list[synthesis_pb2.SynthesizedImage]:
    return [
        synthesis_pb2.SynthesizedImage(latent=latent_message(pack, code), image=image_message(image, layout))
        for code, image in zip(codes, pixels, strict=True)
    ]
