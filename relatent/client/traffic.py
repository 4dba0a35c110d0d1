"""Who waits for a client's calls, as its requests say it."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from relatent.client.errors import InputError
from relatent.core.traffic import TrafficClass
from relatent.v1 import types_pb2

_NUMBERS: Mapping[TrafficClass, types_pb2.TrafficClass.ValueType] = {
    TrafficClass.INTERACTIVE: types_pb2.TRAFFIC_CLASS_INTERACTIVE,
    TrafficClass.BULK: types_pb2.TRAFFIC_CLASS_BULK,
}
_FIELD = "traffic_class"


def traffic_class_of(value: TrafficClass | str) -> TrafficClass:
    """The class of a name.

    Raises:
        InputError: it is none.
    """
    try:
        return TrafficClass(value)
    except ValueError:
        expected = " or ".join(TrafficClass)
        raise InputError(f"traffic_class: expected {expected}, got {value!r}") from None


def tell_class(request: Message, traffic_class: TrafficClass | None) -> None:
    """Have a request say its class; None: it says none. One that asks for no work has no place for it."""
    if traffic_class is not None and _FIELD in request.DESCRIPTOR.fields_by_name:
        setattr(request, _FIELD, _NUMBERS[traffic_class])
