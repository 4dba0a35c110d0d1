"""A network that is cut, a connection that is half open, a Triton that is slow: nothing is lost, in time."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import relatent
from bench.soak_gate import Gate
from relatent.client import channels
from relatent_service.engine.embedded.child import EmbeddedTriton
from relatent_service.engine.replica import SILENCE_SECONDS, WATCH_SECONDS
from tests.fixtures import tiny
from tests.system.amid import invert_amid
from tests.system.cut_off import ASK_MILLISECONDS, CALLERS, STEPS
from tests.system.networks import WITH_NETWORK, why_no_network
from tests.system.processes import ServiceProcess

ROOT = Path(__file__).parents[2]
FIND_OUT_SECONDS = 1.5 * ASK_MILLISECONDS / 1000
"""Clients ask after so long a silence, and wait for the answer half as long."""
WORK_SECONDS = 15
"""What is left to do then, on a busy machine."""
LOCAL = ("--engine", "local", "--latent-cache-bytes", "0")
SLOW_SECONDS = 0.2

WHY_NOT = why_no_network()
needs_a_network = pytest.mark.skipif(bool(WHY_NOT), reason=f"no network can be cut here: {WHY_NOT}")


def cut_off(where: str, root: Path, work: Path) -> Any:
    """What came of inversions while the network was cut there."""
    command = [*WITH_NETWORK, sys.executable, "-m", "tests.system.cut_off", where, str(root), str(work)]
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@needs_a_network
def test_a_service_that_is_cut_off_from_its_clients_loses_nothing_of_those_that_know_another(
    tiny_root: Path, tmp_path: Path
) -> None:
    came = cut_off("client", tiny_root, tmp_path / "work")
    assert came["steps"] == [STEPS]
    assert came["difference"] < 0.02
    assert came["resumed"] == CALLERS, "all were under way there"
    assert came["seconds"] < FIND_OUT_SECONDS + WORK_SECONDS
    assert came["seconds_until_whole"] < WORK_SECONDS, "the way is open again"


@needs_a_network
def test_a_triton_that_is_cut_off_from_its_service_is_given_up_for_another_and_taken_back(
    tiny_root: Path, tmp_path: Path
) -> None:
    came = cut_off("triton", tiny_root, tmp_path / "work")
    assert came["steps"] == [STEPS]
    assert came["difference"] < 0.02
    assert came["gone"] == 1
    assert came["failed_calls"] == 0, "the service repeated them itself"
    assert came["seconds"] < SILENCE_SECONDS + WATCH_SECONDS + WORK_SECONDS
    assert came["seconds_until_whole"] < SILENCE_SECONDS + WATCH_SECONDS


async def test_a_half_open_connection_is_given_up_and_the_call_goes_on_elsewhere(
    start_service: Callable[..., list[ServiceProcess]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "KEEPALIVE_MILLISECONDS", ASK_MILLISECONDS)
    first, second = await asyncio.to_thread(start_service, 2, *LOCAL)
    async with Gate() as gate:
        gate.lead_to(first.address)
        async with relatent.AsyncClient([gate.address, second.address], timeout=60) as client:
            undisturbed = await client.invert(tiny.random_image(1), steps=STEPS)
            moments: list[float] = []

            def fall_silent() -> None:
                gate.fall_silent()
                moments.append(time.monotonic())

            (found,) = await invert_amid(client, 1, STEPS, fall_silent)
            assert time.monotonic() - moments[0] < FIND_OUT_SECONDS + WORK_SECONDS
            assert found.resumed == 1
            np.testing.assert_allclose(found.losses, undisturbed.losses, rtol=0.02, atol=1e-6)
            gate.speak_again()
            # The place of the caller that is lost there is given back: the answers to it meet nobody.
            async with asyncio.timeout(60):
                while await asyncio.to_thread(first.metric, "relatent_inflight"):
                    await asyncio.sleep(0.1)


@pytest.fixture
async def slow_triton(tiny_root: Path) -> AsyncIterator[Gate]:
    """The way to a Triton of no service's own."""
    triton = EmbeddedTriton(tiny_root / "model_repository")
    await triton.start()
    try:
        async with Gate() as gate:
            gate.lead_to(triton.address)
            yield gate
    finally:
        await triton.stop()


async def test_a_triton_that_is_slow_loses_nothing_and_costs_what_it_takes_no_longer_than_it_is(
    slow_triton: Gate, start_service: Callable[..., list[ServiceProcess]]
) -> None:
    pool = ("--engine", "triton", "--triton", slow_triton.address, "--latent-cache-bytes", "0")
    (service,) = await asyncio.to_thread(start_service, 1, *pool)
    async with relatent.AsyncClient(service.address, timeout=60) as client:

        async def invert(steps: int) -> tuple[relatent.Inversion, float]:
            began = time.monotonic()
            found = await client.invert(tiny.random_image(1), steps=steps)
            return found, time.monotonic() - began

        steps = 10 * tiny.MAX_STEPS
        right, quick = await invert(steps)
        slow_triton.answer_seconds = SLOW_SECONDS
        found, slow = await invert(steps)
        np.testing.assert_allclose(found.losses, right.losses, rtol=0.02, atol=1e-6)
        assert slow > quick + 10 * SLOW_SECONDS, "each of its chunks was slow"
        assert not [line for line in service.log_lines("Triton server") if "is gone" in line["message"]]
        with pytest.raises(relatent.DeadlineError):
            await client.invert(tiny.random_image(2), steps=steps, timeout=SLOW_SECONDS / 2)
        slow_triton.answer_seconds = 0.0
        _, again = await invert(steps)
        assert again < slow / 2
