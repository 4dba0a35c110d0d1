from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from relatent.core.credentials import read_pair
from relatent_service import probe
from relatent_service.probe import main
from tests.fixtures.certificates import Authority, Issued


@pytest.fixture
def servicer(monkeypatch: pytest.MonkeyPatch) -> Iterator[health.HealthServicer]:
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        monkeypatch.setenv("RELATENT_LISTEN", f"0.0.0.0:{port}")
        server.start()
        yield servicer
        server.stop(None).wait()


def test_a_serving_server_passes(servicer: health.HealthServicer) -> None:
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    assert main() == 0


def test_a_server_that_is_not_ready_fails_with_its_status(
    servicer: health.HealthServicer, capsys: pytest.CaptureFixture[str]
) -> None:
    servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    assert main() == 1
    assert capsys.readouterr().err == "NOT_SERVING\n"


def test_no_proxy_comes_between_the_probe_and_its_server(
    servicer: health.HealthServicer, monkeypatch: pytest.MonkeyPatch
) -> None:
    servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert main() == 0


def test_no_server_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("RELATENT_LISTEN", "127.0.0.1:1")
    assert main() == 1
    assert capsys.readouterr().err == "UNAVAILABLE\n"


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ("0.0.0.0:8500", "127.0.0.1:8500"),
        ("[::]:8500", "[::1]:8500"),
        ("127.0.0.2:8500", "127.0.0.2:8500"),
        ("unix:/run/relatent.sock", "unix:/run/relatent.sock"),
    ],
)
def test_the_server_is_asked_where_it_listens(
    monkeypatch: pytest.MonkeyPatch, listen: str, asked: str
) -> None:
    monkeypatch.setenv("RELATENT_LISTEN", listen)
    slots: list[str] = []
    monkeypatch.setattr(probe, "probe", lambda address, **_: slots.append(str(address)))
    assert probe.main() == 0
    assert slots == [asked]


def test_an_address_that_is_none_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELATENT_LISTEN", "http://0.0.0.0:8500")
    assert probe.main() == 2
    assert "RELATENT_LISTEN: expected host:port" in capsys.readouterr().err


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def secured(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Issued]:
    """A server with a certificate for other names than its address, which asks for one where told to."""
    issued = authority.issue("server", "gpu1.example", "*.gpus.example")
    pair = read_pair(issued.certificate, issued.key)
    with ThreadPoolExecutor(2) as threads:
        server = grpc.server(threads)
        servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        credentials = grpc.ssl_server_credentials(
            [(pair.key, pair.certificate)], authority.pem, request.param
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
        monkeypatch.setenv("RELATENT_LISTEN", f"0.0.0.0:{port}")
        monkeypatch.setenv("RELATENT_TLS_CERTIFICATE", str(issued.certificate))
        monkeypatch.setenv("RELATENT_TLS_KEY", str(issued.key))
        server.start()
        yield issued
        server.stop(None).wait()


@pytest.mark.parametrize("secured", [False], indirect=True)
def test_a_server_with_a_certificate_for_other_names_passes(secured: Issued) -> None:
    assert main() == 0


@pytest.mark.parametrize("secured", [False], indirect=True)
def test_it_is_the_certificate_that_is_shown_that_counts_not_the_file(
    secured: Issued, authority: Authority
) -> None:
    authority.issue("server", "renewed.example")
    assert main() == 0


@pytest.mark.parametrize("secured", [True], indirect=True)
def test_where_certificates_are_asked_for_the_servers_own_is_shown(
    secured: Issued, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main() == 1
    monkeypatch.setenv("RELATENT_TLS_CLIENT_CA", str(authority.path))
    assert main() == 0


@pytest.mark.parametrize("secured", [True], indirect=True)
def test_a_file_that_cannot_be_shown_is_told(
    secured: Issued, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RELATENT_TLS_CLIENT_CA", "ca.pem")
    monkeypatch.setenv("RELATENT_TLS_KEY", "/nonexistent")
    assert main() == 1
    assert capsys.readouterr().err == "/nonexistent: No such file or directory\n"
