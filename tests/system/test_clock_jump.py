"""The wall clock is set while calls are under way: only what is a matter of dates follows it."""

from __future__ import annotations

import shutil
import struct
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import relatent
from relatent.core.access_keys import keys_document, make_key, new_secret
from tests.fixtures import tiny
from tests.system.amid import invert_amid
from tests.system.processes import ServiceProcess

DAY = 86_400
STEPS, CALLERS = 1000, 2
CALL_SECONDS = 60
"""What calls have, and less than any jump."""
SOURCE = Path(__file__).with_name("wall_clock.c")
COMPILER = shutil.which("cc")

pytestmark = pytest.mark.skipif(
    COMPILER is None, reason="no clock can be set here: it takes a C compiler, cc"
)


class WallClock:
    """The wall clock of processes that `library` is loaded into.

    Args:
        folder: for what it takes.
    """

    def __init__(self, folder: Path) -> None:
        self._jump = folder / "jump"
        self.set(0)
        self.library = folder / "wall_clock.so"
        assert COMPILER is not None
        flags = ["-shared", "-fPIC", "-O2", f'-DJUMP="{self._jump}"']
        subprocess.run([COMPILER, *flags, "-o", str(self.library), str(SOURCE), "-ldl"], check=True)

    def set(self, days: int) -> None:
        """Set it so many days off, from now on."""
        if not self._jump.exists():
            self._jump.write_bytes(bytes(8))
        with self._jump.open("r+b") as file:  # in place, as it is mapped
            file.write(struct.pack("=q", days * DAY))


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


@pytest.fixture
def secret() -> str:
    return new_secret()


@pytest.fixture
def service(tiny_root: Path, tmp_path: Path, clock: WallClock, secret: str) -> Iterator[ServiceProcess]:
    """One with an embedded Triton, whose clock is that clock, and with a key for a day."""
    tomorrow = datetime.fromtimestamp(int(time.time()) + DAY, UTC)
    keys = keys_document([make_key("caller", secret, [], tomorrow)])
    (tmp_path / "keys.json").write_bytes(keys)
    flags = ("--latent-cache-bytes", "0", "--api-keys", str(tmp_path / "keys.json"))
    environment = {"LD_PRELOAD": str(clock.library)}
    service = ServiceProcess(tiny_root, tmp_path / "service", *flags, environment=environment)
    try:
        service.wait_ready()
        yield service
    finally:
        service.end()


async def test_calls_go_on_within_their_deadlines_whichever_way_it_jumps_and_keys_end_by_it(
    service: ServiceProcess, clock: WallClock, secret: str
) -> None:
    async with relatent.AsyncClient(service.address, api_key=secret, timeout=CALL_SECONDS) as client:
        right = await client.invert(tiny.random_image(1), steps=STEPS)
        for days in (2, -2, 0):
            for found in await invert_amid(client, CALLERS, STEPS, partial(clock.set, days)):
                np.testing.assert_allclose(found.losses, right.losses, rtol=0.02, atol=1e-6)
                assert found.resumed == 0
            if days == 2:
                with pytest.raises(relatent.UnauthenticatedError, match="expired"):
                    await client.invert(tiny.random_image(1), steps=1)
                clock.set(0)
        assert (await client.invert(tiny.random_image(1), steps=STEPS)).steps == STEPS
    calls = service.log_lines("call")
    assert {line["time"][:10] for line in calls} > {datetime.now(UTC).date().isoformat()}, (
        "the log follows it"
    )
    assert all(0 <= line["seconds"] < CALL_SECONDS for line in calls)
    assert {line["code"] for line in calls} == {"OK", "UNAUTHENTICATED"}
    assert not service.log_lines("Triton ended")
    assert len(service.log_lines("started Triton")) == 1, "it was left alone"
