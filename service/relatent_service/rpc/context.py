"""Calls as gRPC tells of them."""

from __future__ import annotations

import time
from typing import Any, Protocol, TypeAlias

import grpc

from relatent.core.traffic import TrafficClass
from relatent.v1 import types_pb2
from relatent_service.access.caller import CALLER
from relatent_service.errors import InvalidField
from relatent_service.traffic.call import TRAFFIC_CLASS, Call

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

TRAFFIC_CLASSES: dict[int, TrafficClass] = {
    types_pb2.TRAFFIC_CLASS_INTERACTIVE: TrafficClass.INTERACTIVE,
    types_pb2.TRAFFIC_CLASS_BULK: TrafficClass.BULK,
}


class Classed(Protocol):
    """A request that says who waits for it."""

    @property
    def traffic_class(self) -> int:
        """The number of a `relatent.v1.TrafficClass`, known or not."""


def call_of(context: Context, request: Classed) -> Call:
    """What is known of a call as it comes: its deadline and its class.

    Raises:
        InvalidField: the class is none we know.
    """
    call = begun(context)
    call.traffic_class = read_traffic_class(request)
    return call


def begun(context: Context) -> Call:
    """The same of a stream whose first request has not come yet: its class is its caller's until then."""
    remaining = context.time_remaining()
    deadline = None if remaining is None else time.monotonic() + remaining
    return Call(deadline=deadline, traffic_class=CALLER.get().traffic_class)


def read_traffic_class(request: Classed, path: str = "") -> TrafficClass:
    """The class that the call at hand has from now on: what it asks for, no earlier than its caller's.

    Args:
        request: of the call.
        path: what stands before the field's name in errors.

    Raises:
        InvalidField: it is none we know.
    """
    number, cap = request.traffic_class, CALLER.get().traffic_class
    if number != types_pb2.TRAFFIC_CLASS_UNSPECIFIED and number not in TRAFFIC_CLASSES:
        known = ", ".join(f"{each.name} ({value})" for value, each in TRAFFIC_CLASSES.items())
        raise InvalidField(f"{path}traffic_class", f"expected one of {known}, got {number}")
    wanted = TRAFFIC_CLASSES.get(number, cap).capped(cap)
    TRAFFIC_CLASS.set(wanted)
    return wanted
