"""Every method of `relatent.v1`, as its descriptors have it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from relatent.v1 import (
    catalog_pb2,
    diffusion_pb2,
    editing_pb2,
    inversion_pb2,
    restoration_pb2,
    synthesis_pb2,
)

_FILES = (catalog_pb2, diffusion_pb2, editing_pb2, inversion_pb2, restoration_pb2, synthesis_pb2)


@dataclass(frozen=True)
class RpcMethod:
    """One method.

    Attributes:
        path: as it is called, `/relatent.v1.InversionService/Invert`.
        request, response: its messages.
        request_streaming, response_streaming: whether there are several of them.
    """

    path: str
    request: type[Message]
    response: type[Message]
    request_streaming: bool
    response_streaming: bool

    @property
    def name(self) -> str:
        """The last part of its path, which is unique."""
        return self.path.rpartition("/")[2]


def _methods() -> Iterator[RpcMethod]:
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                yield RpcMethod(
                    path=f"/{service.full_name}/{method.name}",
                    request=GetMessageClass(method.input_type),
                    response=GetMessageClass(method.output_type),
                    request_streaming=method.client_streaming,
                    response_streaming=method.server_streaming,
                )


METHODS: Mapping[str, RpcMethod] = {method.name: method for method in _methods()}
"""All, by their names."""
