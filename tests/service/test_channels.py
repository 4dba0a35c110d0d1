"""How Triton servers are reached: past proxies on this machine, and by TLS where that is asked for."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from relatent_service.channels import TritonCredentials, TritonTls, UnusableTritonCredentials, open_channel
from relatent_service.engine import replica, triton
from relatent_service.engine.engine import EngineUnavailable
from relatent_service.engine.triton import TritonEngine
from tests.fixtures import tiny
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


async def test_a_triton_that_asks_for_a_certificate_is_shown_one(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "START_SECONDS", 10)
    server = await FakeTriton(credentials=authority.asks()).start()
    ours = authority.issue("ours")
    tls = TritonTls(authority.path, ours.certificate, ours.key)
    engine = TritonEngine([f"localhost:{server.port}"], TritonCredentials(tls))
    await engine.start()
    answer = await engine.infer("toy_half", {"x": np.array([[3.0]], np.float32)}, timeout=5)
    assert answer.outputs["y"] == 1.5
    await engine.stop()
    await server.stop()


async def test_a_certificate_for_triton_is_renewed_for_calls_that_begin_and_none_under_way_is_lost(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "START_SECONDS", 10)
    opened = opened_channels(monkeypatch)
    server = await FakeTriton(credentials=authority.asks()).start()
    ours = authority.issue("ours")
    first = ours.certificate.read_bytes()
    credentials = TritonCredentials(TritonTls(authority.path, ours.certificate, ours.key))
    engine = TritonEngine([f"localhost:{server.port}"], credentials)
    await engine.start()
    halve = partial(engine.infer, "toy_half", {"x": np.array([[3.0]], np.float32)}, 10)
    server.may_answer.clear()
    under_way = [asyncio.create_task(halve()) for _ in range(4)]
    while server.calls < 4:
        await asyncio.sleep(0)
    assert set(server.shown) == {first}

    authority.issue("ours")
    second = ours.certificate.read_bytes()
    credentials.renew()
    later = asyncio.create_task(halve())
    while server.calls < 5:
        await asyncio.sleep(0)
    assert server.shown[-1] == second != first
    assert len(opened) == 2
    assert opened[0].get_state() is not grpc.ChannelConnectivity.SHUTDOWN

    server.may_answer.set()
    for call in (*under_way, later):
        assert (await call).outputs["y"] == 1.5
    assert opened[0].get_state() is grpc.ChannelConnectivity.SHUTDOWN
    assert server.calls == 5  # none was repeated
    await engine.stop()
    await server.stop()


def opened_channels(monkeypatch: pytest.MonkeyPatch) -> list[grpc.aio.Channel]:
    """Every channel to a Triton server that is opened from now on."""
    found: list[grpc.aio.Channel] = []

    def keep(*words: Any) -> grpc.aio.Channel:
        found.append(open_channel(*words))
        return found[-1]

    monkeypatch.setattr(replica, "open_channel", keep)
    return found


async def test_files_for_triton_that_cannot_be_used_leave_what_there_is_and_are_told(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    ours = authority.issue("ours")
    credentials = TritonCredentials(TritonTls(authority.path, ours.certificate, ours.key))
    before = credentials.newest
    ours.key.write_bytes(authority.issue("other").key.read_bytes())
    credentials.renew()
    credentials.renew()
    (told,) = caplog.messages
    assert told.startswith("the credentials for Triton stay as they were: --triton-tls-key ")
    assert credentials.newest is before
    authority.issue("ours")
    credentials.renew()
    assert credentials.newest is not before


async def test_a_service_renews_its_certificate_for_triton_by_itself(
    authority: Authority, tmp_path: Path
) -> None:
    server = await FakeTriton(credentials=authority.asks()).start()
    ours = authority.issue("ours")
    first = ours.certificate.read_bytes()
    words = ["--triton-tls-ca", str(authority.path), "--triton-tls-certificate", str(ours.certificate)]
    words += ["--triton-tls-key", str(ours.key), "--engine", "triton", "--triton", f"localhost:{server.port}"]
    packs, _ = tiny.write_tiny(tmp_path / "tiny")
    nowhere = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--packs", str(packs)]
    service = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "relatent_service", *nowhere, *words), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(30):
            await shows(server, first)
            authority.issue("ours")
            await shows(server, ours.certificate.read_bytes())
    finally:
        service.kill()
        await service.wait()
        await server.stop()


async def shows(server: FakeTriton, certificate: bytes) -> None:
    """Wait until somebody shows a server a certificate."""
    while server.shown[-1:] != [certificate]:
        await asyncio.sleep(0.02)


async def test_a_triton_of_another_authority_is_not_used_and_why_is_told(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triton, "START_SECONDS", 1)
    server = await FakeTriton(credentials=authority.asks()).start()
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
    half = "^--triton-tls-certificate: expected --triton-tls-key as well$"
    with pytest.raises(UnusableTritonCredentials, match=half):
        TritonTls(authority.path, issued.certificate).credentials()
    with pytest.raises(UnusableTritonCredentials, match=r"^--triton-tls-key .*does not belong"):
        TritonTls(authority.path, issued.certificate, other.key).credentials()
