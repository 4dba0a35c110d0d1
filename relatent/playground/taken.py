"""A picture on its way from one tab to another."""

from __future__ import annotations

from dataclasses import dataclass

from relatent.client.images import Picture
from relatent.client.latents import LatentCode


@dataclass(frozen=True, eq=False)
class TakenPicture:
    """A picture that another tab made, on its way to the first screen. Each is a new one to Gradio.

    Attributes:
        name: what it is called there.
        latent: what is edited.
        picture: what everything can be compared with.
    """

    name: str
    latent: LatentCode
    picture: Picture
