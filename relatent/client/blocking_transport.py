"""How the blocking client talks: flows driven over blocking channels, from any thread and after forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import grpc

from relatent.client.channels import open_channel
from relatent.client.errors import ClientStateError, DeadlineError
from relatent.client.forks import call_under_way, check_fork
from relatent.client.retrying import (
    Converse,
    Convert,
    Effect,
    Flow,
    Sleep,
    Stream,
    Unary,
    opening_late,
    serialised,
)
from relatent.client.settings import ClientSettings
from relatent.client.tracing import follow
from relatent.core.tracing import Headers, trace_headers

T = TypeVar("T")


class _Connections:
    """The channels of one process, one an address, made when first needed."""

    def __init__(self, closed: bool) -> None:
        self.channels: dict[str, grpc.Channel] = {}
        self.lock = threading.Lock()
        self.closed = threading.Event()
        if closed:
            self.closed.set()


class BlockingTransport:
    """Drives flows over blocking channels."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        # By process: a forked one can use neither the channels nor the locks that it finds, nor let go of
        # them, so it leaves them alone.
        self._connections = {os.getpid(): _Connections(closed=False)}

    def run(self, flow: Flow[T]) -> T:
        """Do what a flow asks for, to its end."""
        with follow(flow) as call:
            try:
                effect = next(flow)
                while True:
                    try:
                        with call.attempt(effect):
                            outcome = self._perform(effect)
                    except (grpc.RpcError, ClientStateError, DeadlineError) as error:
                        effect = flow.throw(error)
                    else:
                        effect = flow.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            finally:
                flow.close()

    def close(self) -> None:
        """Let go of the connections of this process."""
        own = self._own()
        with own.lock:
            own.closed.set()
            for channel in own.channels.values():
                channel.close()
            own.channels.clear()

    def check_open(self) -> None:
        """Make sure that it was not closed.

        Raises:
            ClientStateError: it was.
        """
        if self._own().closed.is_set():
            raise ClientStateError("the client is closed")

    def _own(self) -> _Connections:
        process = os.getpid()
        if process not in self._connections:
            closed = any(connections.closed.is_set() for connections in self._connections.values())
            self._connections.setdefault(process, _Connections(closed))
        return self._connections[process]

    def _perform(self, effect: Effect) -> Any:
        self.check_open()
        try:
            match effect:
                case Convert():
                    return effect.work()
                case Sleep():
                    return self._own().closed.wait(effect.seconds)
                case Unary():
                    with call_under_way():
                        return self._begin(effect, "unary_unary")
                case Stream():
                    with call_under_way():
                        return self._receive(effect)
                case Converse():
                    with call_under_way():
                        return self._converse(effect)
        except grpc.RpcError as error:
            if self._own().closed.is_set():
                raise ClientStateError("the client was closed during the call") from error
            raise

    def _receive(self, effect: Stream) -> None:
        call = self._begin(effect, "unary_stream")
        try:
            for message in call:
                effect.receive(message)
        finally:
            call.cancel()  # frees the place on the server where a callback raised

    def _converse(self, effect: Converse) -> None:
        late = threading.Event()
        call = self._begin(effect, "stream_stream")

        def give_up() -> None:
            late.set()
            call.cancel()

        opening = threading.Timer(effect.timeout, give_up)
        opening.daemon = True
        opening.start()
        try:
            effect.talk.began(call)
            for message in call:
                opening.cancel()
                effect.talk.receive(message, effect.address)
        except grpc.RpcError as error:
            if late.is_set():
                raise opening_late(effect) from error
            raise
        finally:
            opening.cancel()
            effect.talk.ended()
            call.cancel()  # frees the place on the server where an answer cannot be read

    def _begin(self, effect: Unary | Stream | Converse, kind: str) -> Any:
        make: Callable[..., Callable[..., Any]] = getattr(self._channel(effect.address), kind)
        method = make(
            effect.path,
            request_serializer=serialised,
            response_deserializer=effect.answer.FromString,
        )
        try:
            if isinstance(effect, Converse):
                return method(effect.talk.requests(), metadata=self._metadata())
            return method(effect.request, timeout=effect.timeout, metadata=self._metadata())
        except ValueError:  # what gRPC says of a channel that another thread has just closed
            self.check_open()
            raise

    def _metadata(self) -> Headers:
        """Who calls, and in whose trace."""
        return self._settings.metadata + trace_headers()

    def _channel(self, address: str) -> grpc.Channel:
        own = self._own()
        with own.lock:
            self.check_open()
            if address not in own.channels:
                check_fork()
                own.channels[address] = open_channel(
                    address, self._settings.max_message_bytes, self._settings.tls
                )
            return own.channels[address]
