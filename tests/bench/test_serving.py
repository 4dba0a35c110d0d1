"""A measurement's service comes up, or says why not, and never outlives it."""

import asyncio
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench.measurement import BenchSettings
from bench.serving import Way, invert_by, served
from relatent import AsyncClient
from tests.fixtures.tiny import random_image

ROOT = Path(__file__).parents[2]
SERVES_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from bench.serving import served
from bench.measurement import BenchSettings

async def serve():
    settings = BenchSettings(Path(sys.argv[1]), Path(sys.argv[2]), pack="tiny", engine="local")
    async with served(settings, max_inflight=1) as service:
        print(service.address, flush=True)
        await asyncio.sleep(600)

asyncio.run(serve())
"""


def listens(address: str) -> bool:
    async def connect() -> None:
        _, writer = await asyncio.open_connection(*address.rsplit(":", 1))
        writer.close()

    try:
        asyncio.run(connect())
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


def test_a_killed_measurement_leaves_no_service_behind(settings: BenchSettings) -> None:
    words = [sys.executable, "-c", SERVES_UNTIL_KILLED, str(settings.packs), str(settings.repository)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as measurement:
        assert measurement.stdout is not None
        address = measurement.stdout.readline().strip()
        try:
            assert listens(address)
        finally:
            measurement.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 15
    while listens(address) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not listens(address)


async def test_a_service_that_does_not_come_up_says_why(settings: BenchSettings, tmp_path: Path) -> None:
    missing = replace(settings, packs=tmp_path / "nowhere")
    with pytest.raises(RuntimeError, match="nowhere"):
        async with served(missing, max_inflight=1):
            pass


async def test_images_are_inverted_as_asked_and_answers_are_in_their_order(settings: BenchSettings) -> None:
    images = np.stack([random_image(seed) for seed in range(3)])
    async with served(settings, max_inflight=2) as service, AsyncClient(service.address) as client:
        way = Way("momentum", 5)
        taken, distances = await invert_by(client, images, 2, way)
        assert taken > 0
        for image, distance in zip(images, distances, strict=True):
            alone = await client.invert(image, method="momentum", steps=5)
            assert distance == pytest.approx(alone.quality.perceptual, rel=1e-4)
    assert len(set(distances)) == 3
