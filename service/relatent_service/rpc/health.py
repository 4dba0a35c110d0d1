"""`grpc.health.v1.Health`, one status for every service of ours and for the server as a whole.

Our own, as the servicer of grpcio-health-checking forgets the other watchers of a service when one
of them leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from grpc_health.v1 import health_pb2, health_pb2_grpc

from relatent_service.catalog import shown
from relatent_service.errors import UnknownName
from relatent_service.rpc.context import Context
from relatent_service.rpc.status import abort, request_id_of

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class HealthServicer(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the package has no types
    """Tells whether calls would be answered. Not serving until told otherwise.

    Args:
        services: full names; the empty name stands for the whole server.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._services = frozenset(("", *services))
        self._serving = False
        self._changed = asyncio.Condition()

    async def set(self, serving: bool) -> None:
        """Set the status of every service, and tell those who watch."""
        async with self._changed:
            if serving != self._serving:
                self._serving = serving
                self._changed.notify_all()

    async def Check(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """Tell a service's status now."""
        status = self._status(request.service)
        if status == SERVICE_UNKNOWN:
            known = ", ".join(sorted(self._services - {""}))
            error = UnknownName("service", f"no service {shown(request.service)}; there are: {known}")
            await abort(context, error, request_id_of(context))
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(  # noqa: N802
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        """Tell a service's status now and whenever it changes."""
        told = None
        while True:
            async with self._changed:
                while (status := self._status(request.service)) == told:
                    await self._changed.wait()
            told = status
            yield health_pb2.HealthCheckResponse(status=told)

    def _status(self, service: str) -> int:
        if service not in self._services:
            return int(SERVICE_UNKNOWN)
        return int(SERVING if self._serving else NOT_SERVING)
