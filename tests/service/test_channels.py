"""How Triton servers are reached: past proxies on this machine, and by TLS where that is asked for."""

from __future__ import annotations

from pathlib import Path

import grpc
import numpy as np
import pytest

from relatent.core.credentials import read_pair
from relatent_service.channels import TritonCredentials, TritonTls, UnusableTritonCredentials
from relatent_service.engine import triton
from relatent_service.engine.engine import EngineUnavailable
from relatent_service.engine.triton import TritonEngine
from tests.fixtures.certificates import Authority
from tests.service.engine.fake_triton import FakeTriton

pytestmark = pytest.mark.asyncio(loop_scope="session")

PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", PROXIES)
async def test_a_server_of_this_machine_is_reached_whatever_proxy_is_set(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, NOBODY)
    monkeypatch.setattr(triton, "START_SECONDS", 10)
    server = await FakeTriton().start()
    engine = TritonEngine([server.address])
    await engine.start()
    answer = await engine.infer("toy_half", {"x": np.array([[3.0]], np.float32)}, timeout=5)
    assert answer.outputs["y"] == 1.5
    await engine.stop()
    await server.stop()


async def test_a_server_elsewhere_that_a_proxy_keeps_away_is_named_with_the_proxys_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", NOBODY)
    monkeypatch.setattr(triton, "START_SECONDS", 1)
    expected = r"triton\.example:8001 \(through the proxy that http_proxy names\): UNAVAILABLE"
    with pytest.raises(EngineUnavailable, match=expected):
        await TritonEngine(["triton.example:8001"]).start()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def asking_for_certificates(authority: Authority) -> grpc.ServerCredentials:
    issued = authority.issue()
    pair = read_pair(issued.certificate, issued.key)
    return grpc.ssl_server_credentials([(pair.key, pair.certificate)], authority.pem, True)


async def test_a_triton_that_asks_for_a_certificate_is_shown_one(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "START_SECONDS", 10)
    server = await FakeTriton(credentials=asking_for_certificates(authority)).start()
    ours = authority.issue("ours")
    tls = TritonTls(authority.path, ours.certificate, ours.key)
    engine = TritonEngine([f"localhost:{server.port}"], TritonCredentials(tls))
    await engine.start()
    answer = await engine.infer("toy_half", {"x": np.array([[3.0]], np.float32)}, timeout=5)
    assert answer.outputs["y"] == 1.5
    await engine.stop()
    await server.stop()


async def test_a_triton_of_another_authority_is_not_used_and_why_is_told(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "START_SECONDS", 1)
    server = await FakeTriton(credentials=asking_for_certificates(authority)).start()
    other = Authority(tmp_path / "other")
    engine = TritonEngine([server.address], TritonCredentials(TritonTls(other.path)))
    try:
        with pytest.raises(EngineUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
            await engine.start()
    finally:
        await server.stop()


async def test_files_for_triton_that_cannot_be_used_are_told_with_their_flags(
    authority: Authority, tmp_path: Path
) -> None:
    issued, other = authority.issue(), authority.issue("other")
    with pytest.raises(UnusableTritonCredentials, match=r"^--triton-tls-ca .*No such file"):
        TritonTls(tmp_path / "none").credentials()
    with pytest.raises(UnusableTritonCredentials, match=r"^--triton-tls-key .*does not belong"):
        TritonTls(authority.path, issued.certificate, other.key).credentials()
