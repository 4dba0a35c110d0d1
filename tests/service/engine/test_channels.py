"""Triton servers on this machine are never looked for through a proxy."""

from __future__ import annotations

import numpy as np
import pytest

from service.engine import triton
from service.engine.channels import EXCEPTIONS, PROXIES, is_here, proxy_variable
from service.engine.engine import EngineUnavailable
from service.engine.triton import TritonEngine
from tests.service.engine.fake_triton import FakeTriton

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *EXCEPTIONS):
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
    assert answer["y"] == 1.5
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


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, None),
        ({"http_proxy": NOBODY}, "http_proxy"),
        ({"http_proxy": NOBODY, "https_proxy": NOBODY}, "https_proxy"),
        ({"http_proxy": NOBODY, "grpc_proxy": NOBODY}, "grpc_proxy"),
        ({"HTTP_PROXY": NOBODY}, None),
        ({"http_proxy": NOBODY, "no_proxy": "other.org, example"}, None),
        ({"http_proxy": NOBODY, "no_proxy": "example", "no_grpc_proxy": "other.org"}, "http_proxy"),
    ],
)
async def test_the_variable_told_is_the_one_that_grpc_takes_its_proxy_from(
    environment: dict[str, str], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_variable("triton.example:8001") == expected
    assert proxy_variable("127.0.0.1:8001") is None


async def test_sockets_and_loopback_addresses_are_here_and_others_are_not() -> None:
    here = ("unix:/run/triton", "127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1")
    assert all(is_here(address) for address in here)
    assert not any(is_here(address) for address in ("10.0.0.1:1", "[2001:db8::1]:1", "localhost.example:1"))
