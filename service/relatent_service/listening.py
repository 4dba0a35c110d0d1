"""Where a server listens: for calls, and for scrapes of its metrics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import grpc
from prometheus_client import CollectorRegistry

from relatent.core.addresses import Address
from relatent_service.access.certificates import ServedCertificate
from relatent_service.channels import listen
from relatent_service.rpc.sockets import make_way
from relatent_service.telemetry.scrapes import ScrapeServer


class CannotListen(Exception):
    """An address that cannot be had; the message names the setting."""


def listen_for_calls(
    server: grpc.aio.Server, address: Address, certificate: ServedCertificate | None
) -> Address:
    """Take the port, or the socket, for calls; returns it as it was had.

    Raises:
        CannotListen: it cannot be had.
    """
    try:
        if address.path:
            make_way(Path(address.path))
        port = listen(server, address, None if certificate is None else certificate.for_grpc())
    except (RuntimeError, OSError) as error:
        raise CannotListen(f"--listen {address}: {error}") from error
    return address if address.path else replace(address, port=port)


async def serve_metrics(
    registry: CollectorRegistry, address: Address, certificate: ServedCertificate | None
) -> ScrapeServer:
    """Answer scrapes.

    Raises:
        CannotListen: the port for them cannot be had.
    """
    scrapes = ScrapeServer(registry)
    try:
        context = None if certificate is None else certificate.for_sockets()
        await scrapes.start(address.host, address.port, context)
    except OSError as error:
        raise CannotListen(f"--metrics-listen {address}: {error}") from error
    return scrapes
