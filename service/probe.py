"""`python -m service.probe`: whether the server of this machine serves, for an image's health check.

Exit code 0 if it does. Its port is that of RELATENT_LISTEN, as the server takes it.
"""

from __future__ import annotations

import os
import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

DEFAULT_LISTEN = "127.0.0.1:8500"
TIMEOUT_SECONDS = 3.0


def probe(port: int) -> str | None:
    """Ask the server on a loopback port for its health.

    Returns:
        Why it does not serve; None if it does.
    """
    # The environment may name a proxy, which would look for the port on a machine of its own.
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
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
    port = os.environ.get("RELATENT_LISTEN", DEFAULT_LISTEN).rpartition(":")[2]
    reason = probe(int(port))
    if reason is not None:
        print(reason, file=sys.stderr)
    return 0 if reason is None else 1


if __name__ == "__main__":
    raise SystemExit(main())
