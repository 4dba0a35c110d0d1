import sys

import pytest

from relatent_service.engine.embedded import launch
from relatent_service.telemetry.tracing import set_up_traces


def test_a_server_that_cannot_trace_says_why_and_serves_without(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")
    set_up_traces()
    assert caplog.messages == [
        "calls are not traced: OTEL_TRACES_EXPORTER: expected otlp, console or none, got 'zipkin'"
    ]


def test_a_server_that_is_not_asked_to_says_nothing(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with caplog.at_level("INFO"):
        set_up_traces()
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("variable", "value", "traced"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", True),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318", False),
        ("OTEL_TRACES_EXPORTER", "console", False),
    ],
)
def test_an_embedded_triton_is_told_where_spans_go_only_where_it_can_send_some(
    monkeypatch, variable, value, traced
):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", object())
    monkeypatch.setenv(variable, value)
    flags = launch._traces()
    assert bool(flags) is traced
    assert not traced or f"--trace-config=opentelemetry,url={value}/v1/traces" in flags
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")
    assert launch._traces() == []
