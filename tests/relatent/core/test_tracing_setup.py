"""Traces as the environment asks for them: nothing by default, and what is wrong is told with its cure."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest

from relatent.core.tracing_setup import CannotTrace, asked_exporters, set_up, triton_endpoint
from tests.fixtures.collector import collecting

ENDPOINT = "http://127.0.0.1:4318"
OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": ENDPOINT}
ONE_SPAN = """
from relatent.core.tracing import first_span, span
from relatent.core.tracing_setup import set_up
assert set_up("ours")
with first_span("call"), span("part"):
    pass
"""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ()),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"}, ()),
        (OTLP, ("otlp",)),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": ENDPOINT}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ("otlp",)),
        ({"OTEL_TRACES_EXPORTER": " otlp, console,otlp"}, ("otlp", "console")),
        (OTLP | {"OTEL_TRACES_EXPORTER": "none"}, ()),
        (OTLP | {"OTEL_TRACES_EXPORTER": ""}, ("otlp",)),
        (OTLP | {"OTEL_SDK_DISABLED": "True"}, ()),
        (OTLP | {"OTEL_SDK_DISABLED": "false"}, ("otlp",)),
    ],
)
def test_which_exporters_are_asked_for(environment: Mapping[str, str], expected: tuple[str, ...]) -> None:
    assert asked_exporters(environment) == expected


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER: expected otlp, console or none, got 'zipkin'",
        ),
        (
            OTLP | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf or grpc, got 'http/json'",
        ),
    ],
)
def test_what_cannot_be_is_told_by_its_variable(environment: Mapping[str, str], message: str) -> None:
    with pytest.raises(CannotTrace, match=message):
        set_up("x", environment)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "deflate"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1"),
    ],
)
def test_what_opentelemetry_itself_cannot_read_is_told_without_a_traceback(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = OTLP | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", name: value}
    for variable, written in environment.items():
        monkeypatch.setenv(variable, written)
    with pytest.raises(CannotTrace, match="OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and another"):
        set_up("x", environment)


@pytest.mark.parametrize("missing", ["opentelemetry", "opentelemetry.sdk", "opentelemetry.exporter"])
def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    for name in [name for name in sys.modules if name == missing or name.startswith(f"{missing}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    expected = r"OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, and .* pip install 'relatent\[tracing\]'"
    with pytest.raises(CannotTrace, match=expected):
        set_up("x", OTLP)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ""),
        (OTLP, f"{ENDPOINT}/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{ENDPOINT}/"}, f"{ENDPOINT}/v1/traces"),
        (OTLP | {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/x"}, "http://c/x"),
        (OTLP | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, ""),
        (OTLP | {"OTEL_TRACES_EXPORTER": "console"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://user:password@collector"}, ""),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://[half"}, ""),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, ""),
        (OTLP | {"OTEL_SDK_DISABLED": "true"}, ""),
    ],
)
def test_where_a_triton_of_our_own_sends_its_spans(environment: Mapping[str, str], expected: str) -> None:
    assert triton_endpoint(environment) == expected


@pytest.mark.parametrize("protocol", ["", "http/protobuf", "grpc"])
def test_spans_come_to_a_collector_over_either_protocol(protocol: str) -> None:
    with collecting(protocol or "http/protobuf") as collector:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        }
        _run(environment)
        collector.wait(lambda spans: len(spans) == 2)
    part, call = sorted(collector.spans, key=lambda span: span.name, reverse=True)
    assert (part.name, call.name) == ("part", "call")
    assert (part.parent, part.trace) == (call.span, call.trace)
    assert {span.service for span in collector.spans} == {"ours"}


@pytest.mark.parametrize(
    "environment", [{"OTEL_SERVICE_NAME": "theirs"}, {"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs,a=b"}]
)
def test_a_service_is_called_what_the_environment_says(environment: Mapping[str, str]) -> None:
    with collecting() as collector:
        _run({"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, **environment})
        collector.wait(lambda spans: len(spans) == 2)
    assert {span.service for span in collector.spans} == {"theirs"}


def test_the_sampler_is_the_environments() -> None:
    with collecting() as collector:
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_TRACES_SAMPLER": "always_off"}
        _run(environment)
    assert collector.spans == []


def _run(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_SPAN],
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
