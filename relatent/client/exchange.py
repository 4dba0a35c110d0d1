"""What a session's client has said and heard, over as many calls as it takes. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from relatent.client import decoding
from relatent.client.errors import CallError, ContractError, refusal_error
from relatent.client.requests import Operation, operation_message
from relatent.client.results import Inversion, SessionAnswer
from relatent.v1 import editing_pb2

Arrived = SessionAnswer | CallError
"""The answer to a change, or why there is none."""


class Exchange:
    """The one owner of a session's numbers, of its newest change, and of what is still to be sent.

    Whoever calls it from several threads holds a lock of their own.

    Args:
        opening: how a call of the session begins.
        inversion: of the image that is edited, where it is one.
        check_size: refuses messages that are too large to be sent.

    Attributes:
        hung_up: whether nobody waits for answers any more.
        inversion: the same.
    """

    def __init__(
        self,
        opening: editing_pb2.EditSessionOpening,
        inversion: Inversion | None,
        check_size: Callable[[Message], None],
    ) -> None:
        self._opening = editing_pb2.EditStreamRequest(open=opening)
        self._check_size = check_size
        self.inversion = inversion
        self.hung_up = False
        self._newest: editing_pb2.EditStreamRequest | None = None
        self._made = self._answered = self._sent = 0
        self._finished = self._opening_sent = self._opened = self._heard = False
        check_size(self._opening)

    def change(self, operations: Sequence[Operation]) -> int:
        """Put a change in place of the newest; its number.

        Raises:
            InputError: an operation that cannot be sent.
        """
        change = editing_pb2.EditChange(
            number=self._made + 1, operations=[operation_message(operation) for operation in operations]
        )
        request = editing_pb2.EditStreamRequest(change=change)
        self._check_size(request)
        self._made, self._newest = change.number, request
        return self._made

    def finish(self) -> None:
        """No more changes come."""
        self._finished = True

    def begin(self) -> None:
        """A new call begins: it is opened, and the newest change is sent if it was not answered."""
        self._sent = self._answered
        self._opening_sent = self._opened = self._heard = False

    @property
    def is_finished(self) -> bool:
        """Whether no more changes come."""
        return self._finished

    @property
    def is_opened(self) -> bool:
        """Whether the server of this call has said that the session is open."""
        return self._opened

    @property
    def is_complete(self) -> bool:
        """Whether there will be no more changes, and the newest is answered."""
        return self._finished and self._answered == self._made

    @property
    def progressed(self) -> bool:
        """Whether this call has done what it could: answered something, or there was nothing to answer."""
        return self._opened and (self._heard or self._answered == self._made)

    def has_next(self, *, unread: bool) -> bool:
        """Whether `next_request` is to be asked: there is something to say, and it is time to say it.

        While an answer is unread no change is sent. So no more than those under way pile up before a reader
        that is slow, and the next one is of what the sliders say when it has read on.
        """
        return not self._opening_sent or (not unread and (self._sent < self._made or self._finished))

    def next_request(self) -> editing_pb2.EditStreamRequest | None:
        """What is to be sent next; None where that was all."""
        if not self._opening_sent:
            self._opening_sent = True
            return self._opening
        if self._sent < self._made:
            self._sent = self._made
            return self._newest
        return None

    def receive(self, response: editing_pb2.EditStreamResponse, address: str) -> Arrived | None:
        """Take in a message of the server's; what is to be handed on.

        Raises:
            ContractError: it cannot be read.
        """
        if response.WhichOneof("event") == "opened":
            self._opened = True
            return None
        answer = response.answer
        if not self._answered < answer.number <= self._sent:
            raise ContractError(f"answer.number: {answer.number} is of no change that waits for an answer")
        dropped = answer.number - self._answered - 1  # here, on the server, or with a server that was lost
        self._answered, self._heard = answer.number, True
        match answer.WhichOneof("outcome"):
            case "edited":
                return decoding.session_answer(answer, dropped)
            case "refusal":
                error = refusal_error(answer.refusal, address)
                error.change = answer.number
                return error
            case _:
                raise ContractError(f"answer {answer.number} says neither what was made nor why nothing was")
