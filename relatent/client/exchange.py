"""What a session's client has said and heard, over as many calls as it takes. Nothing here waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.protobuf.message import Message

from relatent.client import decoding
from relatent.client.errors import CallError, ClientStateError, ContractError, refusal_error
from relatent.client.requests import Operation, operation_message
from relatent.client.results import Inversion, SessionAnswer
from relatent.v1 import editing_pb2

Arrived = SessionAnswer | CallError
"""The answer to a change, or why there is none."""


class Exchange:
    """The one owner of a session's numbers, of its newest change, and of the answer that waits to be read.

    At most one change waits to be sent, and one answer to be read. Sessions of both clients hold one, each
    with its own way to wait for what is asked here; whoever calls it from several threads holds a lock of
    their own.

    Args:
        opening: how a call of the session begins.
        inversion: of the image that is edited, where it is one.
        check_size: refuses messages that are too large to be sent.

    Attributes:
        hung_up: whether nobody waits for answers any more.
        inversion: the same.
        calls: of the server that have ended; each is known by how many did before it.
        progressed: whether the one that ended last got anywhere. That it was lost at a change says nothing
            against the server, which may have been lost long before and not been missed; that the next one
            is lost as well, before it has answered anything, does.
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
        self.calls = 0
        self.progressed = False
        self._lost_at_work = False
        self._unread: Arrived | None = None
        self._over = False
        self._failure: BaseException | None = None
        self._newest: editing_pb2.EditStreamRequest | None = None
        self._made = self._answered = self._sent = 0
        self._finished = self._opening_sent = self._opened = self._heard = False
        check_size(self._opening)

    # What those do who change and read.

    def change(self, operations: Sequence[Operation]) -> int:
        """Put a change in place of the newest; its number.

        Raises:
            InputError: an operation that cannot be sent.
            ClientStateError: no more changes come.
        """
        self.check()
        if self._over or self._finished:
            raise ClientStateError("the session takes no more changes: it is finished or closed")
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

    def hang_up(self) -> None:
        """Nobody waits for answers any more."""
        self.hung_up = self._over = True
        self._unread = None

    def check(self) -> None:
        """Raise what the session ended by, if it failed."""
        if self._failure is not None:
            raise self._failure

    @property
    def is_settled(self) -> bool:
        """Whether the server of this call has said that the session is open, or none will."""
        return self._opened or self._over

    @property
    def can_be_read(self) -> bool:
        """Whether `read` is to be asked: there is an answer, or there will be none."""
        return self._unread is not None or self._over

    def read(self) -> SessionAnswer | None:
        """The answer that waits; None where there will be none.

        Raises:
            CallError: it is a refusal; or there will be none, as the session failed.
        """
        arrived, self._unread = self._unread, None
        if arrived is None:
            self.check()
        if isinstance(arrived, CallError):
            raise arrived
        return arrived

    # What those do who talk to the server.

    def begin(self) -> None:
        """A new call begins: it is opened, and the newest change is sent if it was not answered."""
        self._sent = self._answered
        self.progressed = False
        self._opening_sent = self._opened = self._heard = False

    @property
    def is_complete(self) -> bool:
        """Whether there will be no more changes, and the newest is answered."""
        return self._finished and self._answered == self._made

    @property
    def is_wanted(self) -> bool:
        """Whether there is something to be said to a server, or the session is to end."""
        return self.hung_up or self._finished or self._answered < self._made

    def can_send(self, call: int) -> bool:
        """Whether `next_request` is to be asked by a call: there is something to say, and it is time to.

        While an answer is unread no change is sent. So no more than those under way pile up before a reader
        that is slow, and the next one is of what the sliders say when it has read on.
        """
        if self.hung_up or call != self.calls or not self._opening_sent:
            return True
        return self._unread is None and (self._sent < self._made or self._finished)

    def next_request(self, call: int) -> editing_pb2.EditStreamRequest | None:
        """What a call is to send next; None where that was all."""
        if self.hung_up or call != self.calls:
            return None
        if not self._opening_sent:
            self._opening_sent = True
            return self._opening
        if self._sent < self._made:
            self._sent = self._made
            return self._newest
        return None

    def receive(self, response: editing_pb2.EditStreamResponse, address: str) -> Arrived | None:
        """Take in a message of the server's; what to `keep`, if anything.

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

    @property
    def can_keep(self) -> bool:
        """Whether an answer may be kept: the one before was read."""
        return self._unread is None or self._over

    def keep(self, arrived: Arrived) -> None:
        """Have an answer read, unless nobody waits for it any more."""
        if not self._over:
            self._unread = arrived

    def end_call(self) -> None:
        """A call of the server has ended; another may begin."""
        self.calls += 1
        if self._opened:
            at_work = self._answered < self._made
            self.progressed = self._heard or not at_work or not self._lost_at_work
            self._lost_at_work = at_work

    def end(self, failure: BaseException | None) -> None:
        """No more answers come, as all are there or for a reason."""
        self._failure = None if self.hung_up else failure
        self._over = True
