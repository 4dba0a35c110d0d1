"""Triton servers on this machine are never looked for through a proxy."""

from __future__ import annotations

import numpy as np
import pytest

from relatent_service.engine import triton
from relatent_service.engine.engine import EngineUnavailable
from relatent_service.engine.triton import TritonEngine
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
