"""The gRPC server: its services, its limits, and how it treats connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from relatent.v1 import (
    catalog_pb2,
    catalog_pb2_grpc,
    diffusion_pb2,
    diffusion_pb2_grpc,
    editing_pb2,
    editing_pb2_grpc,
    inversion_pb2,
    inversion_pb2_grpc,
    restoration_pb2,
    restoration_pb2_grpc,
    synthesis_pb2,
    synthesis_pb2_grpc,
)
from relatent_service.rpc.catalog import CatalogServicer
from relatent_service.rpc.diffusion import DiffusionServicer
from relatent_service.rpc.editing import EditingServicer
from relatent_service.rpc.health import HealthServicer
from relatent_service.rpc.interceptors import CallInterceptor
from relatent_service.rpc.inversion import InversionServicer
from relatent_service.rpc.restoration import RestorationServicer
from relatent_service.rpc.synthesis import SynthesisServicer
from relatent_service.settings import ServerSettings

SERVICES = tuple(
    file.DESCRIPTOR.services_by_name[name].full_name
    for file, name in (
        (inversion_pb2, "InversionService"),
        (restoration_pb2, "RestorationService"),
        (editing_pb2, "EditingService"),
        (diffusion_pb2, "DiffusionService"),
        (synthesis_pb2, "SynthesisService"),
        (catalog_pb2, "CatalogService"),
    )
)
KEEPALIVE_MILLISECONDS = 30_000
"""How long a caller may say nothing before it is asked whether it is still there."""
HANDSHAKE_MILLISECONDS = 10_000
MAX_STREAMS = 1024
"""Calls of one connection at a time; further ones wait at the client's."""
_LONGEST_CALL_MILLISECONDS = 3_600_000


@dataclass(frozen=True)
class Servicers:
    """What answers the methods of every service."""

    inversion: InversionServicer
    restoration: RestorationServicer
    editing: EditingServicer
    diffusion: DiffusionServicer
    synthesis: SynthesisServicer
    catalog: CatalogServicer
    health: HealthServicer


def make_server(
    settings: ServerSettings, servicers: Servicers, interceptor: CallInterceptor
) -> grpc.aio.Server:
    """Make the server, not listening yet."""
    server = grpc.aio.server(interceptors=[interceptor], options=_options(settings))
    inversion_pb2_grpc.add_InversionServiceServicer_to_server(servicers.inversion, server)
    restoration_pb2_grpc.add_RestorationServiceServicer_to_server(servicers.restoration, server)
    editing_pb2_grpc.add_EditingServiceServicer_to_server(servicers.editing, server)
    diffusion_pb2_grpc.add_DiffusionServiceServicer_to_server(servicers.diffusion, server)
    synthesis_pb2_grpc.add_SynthesisServiceServicer_to_server(servicers.synthesis, server)
    catalog_pb2_grpc.add_CatalogServiceServicer_to_server(servicers.catalog, server)
    health_pb2_grpc.add_HealthServicer_to_server(servicers.health, server)
    health = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
    if settings.reflection:
        reflection.enable_server_reflection((*SERVICES, health, reflection.SERVICE_NAME), server)
    return server


def _options(settings: ServerSettings) -> Sequence[tuple[str, Any]]:
    return (
        # Up to twice the limit comes in, to be refused with a reason by the interceptor; gRPC itself
        # would only say that it is too much.
        ("grpc.max_receive_message_length", 2 * settings.max_message_bytes),
        ("grpc.max_send_message_length", settings.max_message_bytes),
        # Nothing compressed (bit 0 is "identity"): gRPC inflates a message before it looks at its size,
        # so a small one could take gigabytes; and pictures are compressed already.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        # Of one connection; what a call is before it is admitted costs memory, too.
        ("grpc.max_concurrent_streams", MAX_STREAMS),
        # Clients connect anew from time to time and so find new servers; calls under way go on.
        ("grpc.max_connection_age_ms", max(1, round(settings.max_connection_age_seconds * 1000))),
        ("grpc.max_connection_age_grace_ms", _LONGEST_CALL_MILLISECONDS),
        # A caller that vanished without a word gives its place back.
        ("grpc.keepalive_time_ms", KEEPALIVE_MILLISECONDS),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_MILLISECONDS // 3),
        ("grpc.http2.ping_timeout_ms", KEEPALIVE_MILLISECONDS // 3),  # else a minute, whatever the one above
        # Who has begun to connect is given this long, not gRPC's two minutes.
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_MILLISECONDS),
        # Clients may ask as often as every ten seconds whether we are still there.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        # Two servers on one port would each get half of the connections, by mistake more often than not.
        ("grpc.so_reuseport", 0),
    )
