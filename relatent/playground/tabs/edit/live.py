"""Edits as fast as a slider moves: a session with the service, which holds the code that is edited."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from relatent.client.blocking import Client
from relatent.client.edit_session import EditSession
from relatent.client.errors import CallError, ClientStateError, DeadlineError
from relatent.client.images import ImageFormat
from relatent.client.latents import LatentCode
from relatent.client.requests import Operation
from relatent.client.results import EditedImage

EDIT_SECONDS = 15.0


class LiveEdits:
    """Edits one code again and again, always from the code as it was.

    Args:
        client: that waits a little for a service that went away; see `Connection.patient`.
        latent: what is edited.
        output_format: of the answers' pictures.
    """

    def __init__(self, client: Client, latent: LatentCode, output_format: ImageFormat) -> None:
        self._client = client
        self._latent = latent
        self._format = output_format
        self._session: EditSession | None = None
        self._lock = threading.Lock()

    def edit(self, operations: Sequence[Operation]) -> EditedImage:
        """The answer to a change.

        Raises:
            CallError: the service refuses it, or is lost.
        """
        with self._lock:
            was_open = self._session is not None
            try:
                return self._answered(operations)
            except (CallError, ClientStateError) as error:
                if isinstance(error, CallError) and error.change is not None:
                    raise  # of this change alone
                self._hang_up()
                if not was_open or isinstance(error, DeadlineError):
                    raise
            # What was open may have ended long ago, with a server that is back by now.
            return self._answered(operations)

    def close(self) -> None:
        """Let go of the session."""
        with self._lock:
            self._hang_up()

    def _answered(self, operations: Sequence[Operation]) -> EditedImage:
        if self._session is None:
            session = self._client.edit_session(self._latent, output_format=self._format)
            self._session = session.__enter__()
        number = self._session.change(operations)
        while (answer := self._session.answer(EDIT_SECONDS)).number < number:
            pass  # to a change that nobody waits for any more
        return answer.edited

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
