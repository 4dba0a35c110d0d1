"""Edits as fast as a slider moves: a session with the service, which holds the code that is edited."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from relatent.client.blocking import Client
from relatent.client.edit_session import EditSession
from relatent.client.errors import CallError, ClientStateError, DeadlineError, RelatentError
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
        """Of whoever edits."""
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nobody wants these edits any more: another picture took its place, or the visitor left."""
        return self._closed

    def edit(self, operations: Sequence[Operation]) -> EditedImage:
        """The answer to a change.

        Raises:
            ClientStateError: it was closed, before or meanwhile.
            RelatentError: the change cannot be sent, or the service refuses it, or is lost, or breaks the
                contract.
        """
        with self._lock:
            was_open = self._session is not None
            try:
                return self._answered(operations)
            except RelatentError as error:
                if isinstance(error, CallError) and error.change is not None:
                    raise  # of this change alone
                self._hang_up()
                if not was_open or isinstance(error, DeadlineError):
                    raise
            # What was open may have ended long ago, with a server that is back by now.
            return self._answered(operations)

    def close(self) -> None:
        """Let go of the session, for good; waits for nothing, not even an edit that is at work."""
        self._closed = True  # before it looks for a session, as who opens one looks here afterwards
        if (session := self._session) is not None:
            # Elsewhere, as it waits a little for the session's end, and Gradio calls this in its event loop.
            threading.Thread(target=session.close, name="relatent-letting-go", daemon=True).start()

    def _answered(self, operations: Sequence[Operation]) -> EditedImage:
        self._check_open()
        if self._session is None:
            session = self._client.edit_session(self._latent, output_format=self._format)
            self._session = session.__enter__()
            if self._closed:
                self._hang_up()
            self._check_open()
        number = self._session.change(operations)
        while (answer := self._session.answer(EDIT_SECONDS)).number < number:
            pass  # to a change that nobody waits for any more
        return answer.edited

    def _check_open(self) -> None:
        if self._closed:
            raise ClientStateError("another picture is at work")

    def _hang_up(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
