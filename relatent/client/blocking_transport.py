"""How the blocking client talks: flows driven over blocking channels, from any thread and after forks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from relatent.client.calls import begin_call
from relatent.client.channels import ClientChannels, open_channel
from relatent.client.errors import ClientStateError
from relatent.client.forks import call_under_way, check_fork
from relatent.client.retrying import (
    FAILURES,
    Converse,
    Convert,
    Effect,
    Flow,
    Sleep,
    Stream,
    Unary,
    UntilWanted,
    opening_late,
)
from relatent.client.settings import ClientSettings
from relatent.client.tracing import follow

T = TypeVar("T")

_LOOK_SECONDS = 1.0
"""How often a session that is not wanted looks whether its client was closed."""


class _Connections:
    """What one process is connected by; made when first needed."""

    def __init__(self, settings: ClientSettings, closed: bool) -> None:
        def open_one(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.Channel:
            check_fork()
            return open_channel(address, settings.max_message_bytes, credentials)

        self.channels = ClientChannels(open_one, settings.tls)
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
        self._connections = {os.getpid(): _Connections(settings, closed=False)}

    def run(self, flow: Flow[T]) -> T:
        """Do what a flow asks for, to its end."""
        with follow(flow) as call:
            try:
                effect = next(flow)
                while True:
                    try:
                        with call.attempt(effect):
                            outcome = self._perform(effect)
                    except FAILURES as error:
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
            for channel in own.channels.let_go():
                channel.close()

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
            self._connections.setdefault(process, _Connections(self._settings, closed))
        return self._connections[process]

    def _perform(self, effect: Effect) -> Any:
        self.check_open()
        try:
            match effect:
                case Convert():
                    return effect.work()
                case Sleep():
                    return self._own().closed.wait(effect.seconds)
                case UntilWanted():
                    while not effect.talk.wanted(_LOOK_SECONDS):
                        self.check_open()
                case Unary():
                    with call_under_way(), self._channel(effect.address) as channel:
                        return self._begin(channel, effect)
                case Stream():
                    with call_under_way(), self._channel(effect.address) as channel:
                        return self._receive(channel, effect)
                case Converse():
                    with call_under_way(), self._channel(effect.address) as channel:
                        return self._converse(channel, effect)
        except grpc.RpcError as error:
            if self._own().closed.is_set():
                raise ClientStateError("the client was closed during the call") from error
            raise

    def _receive(self, channel: grpc.Channel, effect: Stream) -> None:
        call = self._begin(channel, effect)
        try:
            for message in call:
                effect.receive(message)
        finally:
            call.cancel()  # frees the place on the server where a callback raised

    def _converse(self, channel: grpc.Channel, effect: Converse) -> None:
        late = threading.Event()
        call = self._begin(channel, effect)

        def give_up() -> None:
            late.set()
            call.cancel()

        opening = threading.Timer(effect.timeout, give_up)
        opening.daemon = True
        try:
            opening.start()
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

    def _begin(self, channel: grpc.Channel, effect: Unary | Stream | Converse) -> Any:
        try:
            return begin_call(channel, effect, self._settings)
        except ValueError:  # what gRPC says of a channel that another thread has just closed
            self.check_open()
            raise

    @contextmanager
    def _channel(self, address: str) -> Iterator[grpc.Channel]:
        """Around a call: the channel that it is made on."""
        own = self._own()
        with own.lock:
            self.check_open()
            channel = own.channels.take(address)
        try:
            yield channel
        finally:
            with own.lock:
                ended = own.channels.give_back(address, channel)
            for each in ended:
                each.close()
