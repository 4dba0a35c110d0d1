"""How a call begins, on a blocking channel or on one of asyncio's alike."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from relatent.client.retrying import Converse, Stream, Unary
from relatent.client.settings import ClientSettings
from relatent.core.tracing import trace_headers


def begin_call(channel: Any, effect: Unary | Stream | Converse, settings: ClientSettings) -> Any:
    """Begin the call that a flow asks for, and say who calls, and in whose trace.

    Args:
        channel: blocking, or of asyncio.
        effect: what is asked for.
        settings: of the client.

    Returns:
        As the channel has it: of a blocking one, a unary call's answer; else the call.
    """
    match effect:
        case Unary():
            make = channel.unary_unary
        case Stream():
            make = channel.unary_stream
        case Converse():
            make = channel.stream_stream
    method = make(effect.path, request_serializer=_serialised, response_deserializer=effect.answer.FromString)
    metadata = settings.metadata + trace_headers()
    if isinstance(effect, Converse):
        return method(effect.talk.requests(), metadata=metadata)
    return method(effect.request, timeout=effect.timeout, metadata=metadata)


def _serialised(message: Message) -> bytes:
    """The bytes of a message, of whatever class."""
    return message.SerializeToString()
