"""Traces as the environment asks for them, by OpenTelemetry's own variables; none unless it does.

| Variable | |
|---|---|
| `OTEL_TRACES_EXPORTER` | `otlp`, `console` (on standard output), both with a comma, or `none` |
| `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | where spans go; set, they mean `otlp` where the first says nothing |
| `OTEL_EXPORTER_OTLP_PROTOCOL`, `OTEL_EXPORTER_OTLP_TRACES_PROTOCOL` | `http/protobuf`, the default, or `grpc` |
| `OTEL_SDK_DISABLED` | `true`: no traces, whatever else is set |

All others, such as `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*` and
`OTEL_EXPORTER_OTLP_HEADERS`, are read by OpenTelemetry itself.
"""  # noqa: E501

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExporter

EXPORTERS = "OTEL_TRACES_EXPORTER"
ENDPOINT, TRACES_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL, TRACES_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
HTTP, GRPC = "http/protobuf", "grpc"
_OTLP, _CONSOLE = "otlp", "console"
_PATH = "/v1/traces"


class CannotTrace(Exception):
    """Traces are asked for and cannot be had; the message names the variable and the cure."""


def asked_exporters(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Where spans are to go, as OTEL_TRACES_EXPORTER names it; empty where no traces are asked for."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ()
    named = environment.get(EXPORTERS, "").strip()
    if not named and any(environment.get(variable) for variable in (ENDPOINT, TRACES_ENDPOINT)):
        named = _OTLP
    names = (name.strip() for name in named.split(","))
    return tuple(dict.fromkeys(name for name in names if name not in ("", "none")))


def set_up(service: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Begin to trace, if the environment asks for it.

    A provider that somebody has set before, such as `opentelemetry-instrument`, is left as it is.

    Args:
        service: what this process is called where OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES do not say.
        environment: what is asked for; what OpenTelemetry reads itself, it reads off this process's.

    Returns:
        Whether there are traces.

    Raises:
        CannotTrace: OpenTelemetry is not installed, or a variable is not what it must be.
    """
    names = asked_exporters(environment)
    if not names:
        return False
    variable = next(name for name in (EXPORTERS, TRACES_ENDPOINT, ENDPOINT) if environment.get(name))
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporters = [_exporter(name, environment) for name in names]
        if isinstance(trace.get_tracer_provider(), TracerProvider):
            return True
        provider = TracerProvider(resource=_resource(service))
        for exporter in exporters:
            provider.add_span_processor(BatchSpanProcessor(exporter))
    except ImportError as error:
        raise CannotTrace(
            f"{variable} asks for traces, and {error.name} is missing: pip install 'relatent[tracing]'"
        ) from error
    except CannotTrace:
        raise
    except Exception as error:  # of the variables that OpenTelemetry reads itself, by whatever it raises
        raise CannotTrace(f"{variable} asks for traces, and another variable is wrong: {error}") from error
    trace.set_tracer_provider(provider)
    return True


def triton_endpoint(environment: Mapping[str, str] = os.environ) -> str:
    """Where a Triton of our own sends its spans, http://…/v1/traces; empty where it cannot.

    It speaks OTLP over plain HTTP alone; and what holds a password is not for a command line.
    """
    if _OTLP not in asked_exporters(environment) or _protocol(environment) != HTTP:
        return ""
    base = environment.get(ENDPOINT, "").strip()
    url = environment.get(TRACES_ENDPOINT, "").strip() or (base and base.rstrip("/") + _PATH)
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme == "http" and parts.hostname and "@" not in parts.netloc else ""


def _exporter(name: str, environment: Mapping[str, str]) -> SpanExporter:
    if name == _CONSOLE:
        from opentelemetry.sdk.trace.export import ConsoleSpanExporter

        return ConsoleSpanExporter()
    if name != _OTLP:
        raise CannotTrace(f"{EXPORTERS}: expected {_OTLP}, {_CONSOLE} or none, got {name!r}")
    match _protocol(environment):
        case "http/protobuf":
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            return OTLPSpanExporter()
        case "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as OverGrpc

            return OverGrpc()
        case other:
            raise CannotTrace(f"{PROTOCOL}: expected {HTTP} or {GRPC}, got {other!r}")


def _protocol(environment: Mapping[str, str]) -> str:
    named = environment.get(TRACES_PROTOCOL, "").strip() or environment.get(PROTOCOL, "").strip()
    return named or HTTP


def _resource(service: str) -> Resource:
    """What spans say of this process."""
    from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource

    told = Resource.create()
    ours: dict[str, str] = {SERVICE_VERSION: version("relatent")}
    if str(told.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        ours[SERVICE_NAME] = service
    return Resource(ours).merge(told) if SERVICE_NAME not in ours else told.merge(Resource(ours))
