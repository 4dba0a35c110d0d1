"""No room is left where the service or a command writes: calls are answered, and it is said what is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import relatent
from tests.fixtures import tiny
from tests.system.networks import WITH_MOUNTS, why_no_mounts
from tests.system.processes import ServiceProcess

LOCAL = ("--engine", "local")
FULL = Path("/dev/full")
"""Every write to it finds no room."""
ON_A_FULL_DISK = """
mount -t tmpfs -o size=16k none "$1" && head -c 99999 /dev/zero > "$1/rest" 2>/dev/null
folder=$1; shift
"$@"; status=$?
find "$folder" -type f ! -name rest
exit $status
"""
"""For a shell: a small disk at a folder, filled, a command with that, and which files it left there."""
SMALL_SHARED_MEMORY = 'mount -t tmpfs -o size=64m none /dev/shm && exec "$@"'
SECONDS = 60

WHY_NOT = why_no_mounts()
needs_a_disk = pytest.mark.skipif(bool(WHY_NOT), reason=f"no disk can be filled here: {WHY_NOT}")


def on_a_full_disk(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """What a command came to that finds a folder's disk full."""
    folder.mkdir()
    words = [*WITH_MOUNTS, "sh", "-c", ON_A_FULL_DISK, "sh", str(folder), *map(str, command)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        words, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def fill(file: Path) -> None:
    """Write to a file until there is no room for more."""
    with file.open("wb", buffering=0) as rest:
        while True:
            rest.write(bytes(2**20))


@pytest.fixture
def mute(tiny_root: Path, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A service whose log finds no room."""
    service = ServiceProcess(tiny_root, tmp_path / "service", *LOCAL, log=FULL)
    try:
        service.wait_ready()
        yield service
    finally:
        service.end()


def test_a_service_whose_log_finds_no_room_answers_all_the_same_and_ends_in_order(
    mute: ServiceProcess,
) -> None:
    with relatent.Client(mute.address, timeout=SECONDS) as client:
        undisturbed = client.invert(tiny.random_image(1), steps=40)
        for _ in range(20):
            found = client.invert(tiny.random_image(1), steps=40, no_cache=True)
            np.testing.assert_allclose(found.losses, undisturbed.losses, rtol=0.02, atol=1e-6)
        with pytest.raises(relatent.InvalidArgumentError):
            client.invert(tiny.random_image(1), steps=10**6)
    assert mute.metric("grpc_server_handled_total", grpc_code="OK") >= 21
    mute.terminate()
    assert mute.wait(SECONDS) == 0


@needs_a_disk
def test_a_ready_file_that_finds_no_room_ends_the_service_and_is_named(
    tiny_root: Path, tmp_path: Path
) -> None:
    ready = tmp_path / "full" / "ready.json"
    flags = ["--packs", tiny_root / "packs", "--repository", tiny_root / "model_repository", *LOCAL]
    listen = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--ready-file", ready]
    ended = on_a_full_disk(tmp_path / "full", sys.executable, "-P", "-m", "relatent_service", *flags, *listen)
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert ended.returncode == 2, ended.stderr
    assert lines[-1]["level"] == "critical"
    assert lines[-1]["message"] == f"--ready-file {ready}: No space left on device"
    assert not any("exception" in line for line in lines)


@needs_a_disk
def test_a_command_whose_results_find_no_room_says_so_and_leaves_no_part_of_any(
    mute: ServiceProcess, tmp_path: Path
) -> None:
    command = [sys.executable, "-P", "-m", "relatent", "sample", "--seeds", "0-2", "--address", mute.address]
    ended = on_a_full_disk(tmp_path / "full", *command, "--out", tmp_path / "full" / "sample")
    assert ended.returncode == 1, ended.stderr
    assert "No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr
    (summary,) = ended.stdout.splitlines()  # and no file
    assert summary.startswith("0 images")
    assert summary.endswith("3 failed")


@needs_a_disk
def test_shared_memory_that_fills_up_takes_nothing_from_an_embedded_triton_which_has_reserved_its_own(
    tiny_root: Path, tmp_path: Path
) -> None:
    within = [*WITH_MOUNTS, "sh", "-c", SMALL_SHARED_MEMORY, "sh"]
    service = ServiceProcess(tiny_root, tmp_path / "service", "--latent-cache-bytes", "0", within=within)
    try:
        service.wait_ready()
        with relatent.Client(service.address, timeout=SECONDS) as client:
            undisturbed = client.invert(tiny.random_image(1), steps=400)
            with pytest.raises(OSError, match="No space left"):
                fill(Path("/proc", str(service.pid), "root", "dev/shm/rest"))
            with ThreadPoolExecutor(8) as callers:
                found = callers.map(lambda _: client.invert(tiny.random_image(1), steps=400), range(16))
                for one in found:
                    np.testing.assert_allclose(one.losses, undisturbed.losses, rtol=0.02, atol=1e-6)
        assert len(service.log_lines("started Triton")) == 1
    finally:
        service.end()
