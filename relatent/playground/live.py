"""Edits as fast as a slider moves."""

from __future__ import annotations

from collections.abc import Sequence

from relatent.client.blocking import Client
from relatent.client.latents import LatentCode
from relatent.client.requests import Operation
from relatent.client.results import EditedImage

EDIT_SECONDS = 15.0


class LiveEdits:
    """Edits one code again and again.

    Args:
        client: of the page.
        latent: what is edited.
    """

    def __init__(self, client: Client, latent: LatentCode) -> None:
        self._client = client
        self._latent = latent

    def edit(self, operations: Sequence[Operation]) -> EditedImage:
        """The answer to a change, always from the code as it was.

        Raises:
            CallError: the service refuses it, or is lost.
        """
        return self._client.edit(self._latent, operations, timeout=EDIT_SECONDS).images[0]

    def close(self) -> None:
        """Let go of what the service holds for it."""
