"""Edited images, as messages."""

from __future__ import annotations

from relatent.v1 import editing_pb2
from relatent_service.editing.synthesizer import Images
from relatent_service.images.codec import Format
from relatent_service.rpc.messages import encode, image_message, latent_messages
from relatent_service.rpc.outcomes import outcome_messages
from relatent_service.rpc.reading.operations import ParsedEdit


async def edited_messages(made: Images, parsed: ParsedEdit, layout: Format) -> list[editing_pb2.EditedImage]:
    """What an edit made, one message an image; encoded off the event loop."""
    strengths = parsed.strip or (0.0,)

    def images() -> list[editing_pb2.EditedImage]:
        return [
            editing_pb2.EditedImage(
                latent=latent,
                image=image_message(image, layout),
                strength=strength,
                targets=outcome_messages(made, parsed.edit, index),
                border_error=None if made.border_errors is None else made.border_errors[index],
            )
            for index, (latent, image, strength) in enumerate(
                zip(latent_messages(made.pack, made.codes), made.pixels, strengths, strict=True)
            )
        ]

    return await encode(images)
