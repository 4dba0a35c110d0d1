"""Malformed edits as sessions get them: a wrong source opens none, a wrong change is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from relatent.v1 import editing_pb2
from tests.system.malformed import Malformed

EDIT, SESSION = "EditingService/Edit", "EditingService/EditStream"


def malformed_openings(requests: Iterable[Malformed]) -> Iterator[Malformed]:
    """Of malformed edits those whose operations are well, each opening a session."""
    for request, edit in _edits(requests):
        if request.field is not None and not request.field.startswith("operations"):
            opening = editing_pb2.EditSessionOpening(
                latent=edit.latent if edit.HasField("latent") else None,
                image=edit.image if edit.HasField("image") else None,
                region=edit.region if edit.HasField("region") else None,
                output_format=edit.output_format,
            )
            data = editing_pb2.EditStreamRequest(open=opening).SerializeToString()
            yield replace(request, method=SESSION, data=data, field=f"open.{request.field}")


def malformed_changes(requests: Iterable[Malformed]) -> Iterator[tuple[Malformed, editing_pb2.EditChange]]:
    """Of malformed edits those whose operations are wrong, each as a change, and what must be said of it."""
    number = 0
    for request, edit in _edits(requests):
        if request.field is not None and request.field.startswith("operations"):
            number += 1
            change = editing_pb2.EditChange(number=number, operations=edit.operations)
            # A change makes one image: that there is a second number is already wrong.
            field = request.field.removesuffix("[1]")
            yield replace(request, method=SESSION, field=f"change.{field}"), change


def _edits(requests: Iterable[Malformed]) -> Iterator[tuple[Malformed, editing_pb2.EditRequest]]:
    for request in requests:
        if request.method == EDIT and request.field is not None:
            yield request, editing_pb2.EditRequest.FromString(request.data)
