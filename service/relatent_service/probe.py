"""`python -m relatent_service.probe`: whether the server of this machine serves, for an image's health check.

Exit code 0 if it does. It is asked where RELATENT_LISTEN says, as the server takes it.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from relatent.core.addresses import DEFAULT_LISTEN, LOOPBACK, Address, AddressError, parse_address
from relatent_service.channels import open_blocking_channel

TIMEOUT_SECONDS = 3.0
_HERE = {"0.0.0.0": LOOPBACK, "::": "::1"}


def probe(address: Address) -> str | None:
    """Ask a server for its health, which is never behind a proxy.

    Returns:
        Why it does not serve; None if it does.
    """
    with open_blocking_channel(address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            return str(error.code().name)
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return None
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))


def main() -> int:
    """Probe the server; print and tell by the exit code what is wrong."""
    try:
        listen = parse_address(os.environ.get("RELATENT_LISTEN", DEFAULT_LISTEN))
    except AddressError as error:
        print(f"RELATENT_LISTEN: {error}", file=sys.stderr)
        return 2
    reason = probe(replace(listen, host=_HERE.get(listen.host, listen.host)))
    if reason is not None:
        print(reason, file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    raise SystemExit(main())
