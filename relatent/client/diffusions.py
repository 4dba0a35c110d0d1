"""A part of one image put into another: messages made of it, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass

from relatent.client import decoding
from relatent.client.images import ImageInput, Picture, image_message, picture
from relatent.client.requests import InvertOptions, inversion_options
from relatent.client.results import Inversion
from relatent.client.within import Within, region_message
from relatent.v1 import diffusion_pb2


@dataclass(frozen=True)
class Diffusion:
    """One image made of a target's region and a context.

    Attributes:
        image: the generator's, or that blended into what was given.
        inversion: of the stitched image: `latent` is the code, `reconstruction` the generator's image.
        border_error: how visible the region's border is in the image: by how much its change from the context
            jumps there from pixel to pixel, in units of pixels' range.
        stitched_border_error: the same of the stitched image.
    """

    image: Picture
    inversion: Inversion
    border_error: float
    stitched_border_error: float


def diffusion_request(
    target: ImageInput, within: Within, context: ImageInput, options: InvertOptions, *, blend: bool
) -> diffusion_pb2.DiffuseRequest:
    """Make a message of what is wanted; see `relatent.Client.diffuse`.

    Raises:
        InputError: no such file, an image or option that cannot be sent, or a mask of other proportions than
            the target.
    """
    sent = image_message(target, "target")
    return diffusion_pb2.DiffuseRequest(
        target=sent,
        region=region_message(within, options.get("fit"), sent),
        context=image_message(context, "context"),
        options=inversion_options(options),
        blend=blend,
    )


def diffusion(message: diffusion_pb2.DiffuseResponse) -> Diffusion:
    """Read a diffusion's answer."""
    return Diffusion(
        image=picture(message.image),
        inversion=decoding.inversion(message.inversion, tuple(message.inversion.losses), 0),
        border_error=message.border_error,
        stitched_border_error=message.stitched_border_error,
    )
