"""Inversions of one picture as calls ask for them, and what a server's cache makes of them."""

from __future__ import annotations

from typing import Any

from relatent.v1 import editing_pb2, types_pb2
from relatent.v1 import inversion_pb2 as v1
from tests.fixtures.requests import image
from tests.fixtures.running import Running
from tests.fixtures.sessions import move

ROOM = ("--latent-cache-bytes", "1000000")


def options(steps: int = 8, refinement: dict[str, Any] | None = None, **fields: Any) -> v1.InversionOptions:
    return v1.InversionOptions(refinement=v1.Refinement(steps=steps, **(refinement or {})), **fields)


async def invert(
    running: Running,
    chosen: v1.InversionOptions | None = None,
    picture: types_pb2.Image | None = None,
    timeout: float = 10,
) -> Any:
    request = v1.InvertRequest(image=picture or image(), options=chosen or options())
    return (await running.inversion.Invert(request, timeout=timeout)).result


async def stream(running: Running, chosen: v1.InversionOptions | None = None) -> tuple[list[Any], Any]:
    """What a stream reports, and its result."""
    request = v1.InvertStreamRequest(image=image(), options=chosen or options(), checkpoint_every=1)
    events = [event async for event in running.inversion.InvertStream(request, timeout=10)]
    return events[:-1], events[-1].result


async def edit(
    running: Running, *strengths: float, chosen: v1.InversionOptions | None = None, **fields: Any
) -> Any:
    source = editing_pb2.ImageSource(image=image(), options=chosen or options())
    operations = [move(strength) for strength in strengths]
    request = editing_pb2.EditRequest(image=source, operations=operations, **fields)
    return await running.editing.Edit(request, timeout=10)


def lookups(running: Running, outcome: str) -> float:
    return running.metric("relatent_latent_cache_lookups_total", outcome=outcome)


def inversions(running: Running) -> float:
    """How many were done."""
    return running.metric("relatent_inversions_total", pack="tiny", method="hybrid", stop_reason="steps")


def without_time(result: v1.InversionResult) -> bytes:
    """A result but for what is the call's own."""
    copy = v1.InversionResult()
    copy.CopyFrom(result)
    copy.ClearField("timings")
    copy.ClearField("cached")
    return copy.SerializeToString(deterministic=True)
