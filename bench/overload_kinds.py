"""The kinds of calls that `bench.overload_classes` mixes, and the keys that they are asked with.

Bulk inversions with long deadlines; interactive inversions and edits of codes, plain and exact, with short
ones; and interactive inversions by a key that asks for far more than its quota.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc

from bench.graphs import Array
from bench.overload import image_message
from bench.overload_mix import MixedCall
from relatent.core.access_keys import UNLIMITED, Quota, keys_document, make_key, new_secret
from relatent.core.pack import Pack
from relatent.core.traffic import TrafficClass
from relatent.v1 import (
    editing_pb2,
    editing_pb2_grpc,
    inversion_pb2,
    inversion_pb2_grpc,
    types_pb2,
)

DEADLINE, EDIT_DEADLINE, BULK_DEADLINE = 4.0, 2.0, 40.0
"""Seconds that a call may take, over those that an inversion takes alone."""
SHARES = {"bulk": 0.5, "interactive": 0.25, "over_quota": 0.2, "plain_edit": 0.02, "exact_edit": 0.03}
"""Of the work that is asked for, by kind."""
PAGE, NIGHTLY, GREEDY = "page", "nightly", "greedy"
"""Names of the keys."""


class BenchKeys:
    """A file of keys, and the keys.

    Args:
        path: of the file.

    Attributes:
        path: the same.
        secrets: the keys by their names.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.secrets = {name: new_secret() for name in (PAGE, NIGHTLY, GREEDY)}
        self.write(UNLIMITED)

    def write(self, quota: Quota) -> None:
        """Give the greedy one a quota."""
        nightly = make_key(NIGHTLY, self.secrets[NIGHTLY], [], None, TrafficClass.BULK)
        greedy = make_key(GREEDY, self.secrets[GREEDY], [], None, quota=quota)
        new = self.path.with_suffix(".new")
        new.write_bytes(keys_document([make_key(PAGE, self.secrets[PAGE], [], None), nightly, greedy]))
        new.replace(self.path)


async def kinds_of(
    channel: grpc.aio.Channel,
    pack: Pack,
    images: Sequence[Array],
    steps: int,
    keys: BenchKeys,
    alone: float,
) -> list[MixedCall]:
    """The kinds of calls, of which it is not known yet what they are worth.

    Args:
        channel: to the service.
        pack: with attributes, controls and directions.
        images: uint8 [R, R, 3] each, to invert.
        steps: of each inversion.
        keys: of the callers.
        alone: seconds of an inversion that has the service for itself.
    """
    options = inversion_pb2.InversionOptions(refinement=inversion_pb2.Refinement(steps=steps))
    inversion: Any = inversion_pb2_grpc.InversionServiceStub(channel)
    editing: Any = editing_pb2_grpc.EditingServiceStub(channel)
    pictures = [image_message(image) for image in images]

    def invert(traffic_class: types_pb2.TrafficClass.ValueType) -> list[inversion_pb2.InvertRequest]:
        return [
            inversion_pb2.InvertRequest(image=picture, options=options, traffic_class=traffic_class)
            for picture in pictures
        ]

    interactive, bulk = (
        invert(each) for each in (types_pb2.TRAFFIC_CLASS_INTERACTIVE, types_pb2.TRAFFIC_CLASS_BULK)
    )
    metadata = (("authorization", f"Bearer {keys.secrets[PAGE]}"),)
    codes = [(await inversion.Invert(each, metadata=metadata)).result.latent for each in interactive[:4]]

    def edit(operation: editing_pb2.Operation) -> list[editing_pb2.EditRequest]:
        return [editing_pb2.EditRequest(latent=code, operations=[operation]) for code in codes]

    attribute, direction = pack.attributes[0], next(iter(pack.directions))
    move = editing_pb2.DirectionMove(direction=direction, strengths=[0.5])
    by = (attribute.high - attribute.low) / 10
    target = editing_pb2.AttributeTarget(goals=[editing_pb2.AttributeGoal(attribute=attribute.name, by=[by])])
    asked: dict[str, tuple[Callable[..., Any], Sequence[Any], str, float]] = {
        "bulk": (inversion.Invert, bulk, NIGHTLY, BULK_DEADLINE),
        "interactive": (inversion.Invert, interactive, PAGE, DEADLINE),
        "over_quota": (inversion.Invert, interactive, GREEDY, DEADLINE),
        "plain_edit": (editing.Edit, edit(editing_pb2.Operation(direction=move)), PAGE, EDIT_DEADLINE),
        "exact_edit": (
            editing.Edit,
            edit(editing_pb2.Operation(attribute_target=target)),
            PAGE,
            EDIT_DEADLINE,
        ),
    }
    return [
        MixedCall(name, method, requests, keys.secrets[key], times * alone, 1.0, SHARES[name], name == "bulk")
        for name, (method, requests, key, times) in asked.items()
    ]
