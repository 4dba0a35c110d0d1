"""`relatent.v1.SynthesisService`."""

from __future__ import annotations

from dataclasses import dataclass

from relatent.v1 import synthesis_pb2, synthesis_pb2_grpc
from relatent_service.catalog import ServedPacks
from relatent_service.editing.synthesizer import Images, Synthesizer
from relatent_service.images.codec import Format
from relatent_service.rpc.context import Context, call_of
from relatent_service.rpc.messages import encode, image_message, latent_messages, timings_message
from relatent_service.rpc.reading.synthesis import read_sample, read_synthesis
from relatent_service.settings import ServerSettings


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
        parsed = read_synthesis(self.packs, self.settings, request)
        made = await self.synthesizer.synthesize(parsed.pack, parsed.codes, call)
        images = await encode(_messages, made, parsed.output_format)
        return synthesis_pb2.SynthesizeResponse(images=images, timings=timings_message(call))

    async def Sample(  # noqa: N802
        self, request: synthesis_pb2.SampleRequest, context: Context
    ) -> synthesis_pb2.SampleResponse:
        """Make random images."""
        call = call_of(context, request)
        parsed = read_sample(self.packs, self.settings, request)
        with parsed.moves.naming_fields():
            made = await self.synthesizer.sample(parsed.pack, parsed.z, parsed.moves.edit, parsed.psi, call)
        images = await encode(_messages, made, parsed.output_format)
        return synthesis_pb2.SampleResponse(images=images, timings=timings_message(call))


def _messages(made: Images, layout: Format) -> list[synthesis_pb2.SynthesizedImage]:
    return [
        synthesis_pb2.SynthesizedImage(latent=latent, image=image_message(image, layout))
        for latent, image in zip(latent_messages(made.pack, made.codes), made.pixels, strict=True)
    ]
