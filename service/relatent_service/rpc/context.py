"""Calls as gRPC tells of them."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

import grpc

from relatent_service.traffic.call import Call

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


def call_of(context: Context) -> Call:
    """What is known of a call as it comes: its deadline."""
    remaining = context.time_remaining()
    return Call(deadline=None if remaining is None else time.monotonic() + remaining)
