"""The Triton process: started, started again, ended with its parent, and nothing left behind."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from relatent_service.engine.embedded import child, installation, launch, leftovers
from relatent_service.engine.embedded.child import EmbeddedTriton, why_not
from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.embedded.processes import children_of
from relatent_service.engine.engine import Array, EngineUnavailable
from relatent_service.engine.retrying import RetryingEngine
from tests.service.engine.family import gone, regions_of, wait_until, workers_of
from tests.service.engine.models import choosy, double, work, write_model

pytestmark = pytest.mark.asyncio(loop_scope="session")

X: dict[str, Array] = {"x": np.ones((1, 3), np.float32)}


async def test_calls_under_way_when_triton_is_killed_fail_as_unavailable_and_later_ones_go_through(
    embedded: EmbeddedEngine,
) -> None:
    assert await embedded.healthy()
    killed, restarts = embedded.triton.pid, embedded.triton.restarts
    assert killed is not None
    slow = asyncio.create_task(embedded.infer("toy_work", {"rounds": np.array([[100_000]], np.int32)}))
    await asyncio.sleep(0.2)
    workers = workers_of(killed)
    assert len(workers) == 5
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(EngineUnavailable):
        await slow
    assert not await embedded.healthy()
    with pytest.raises(EngineUnavailable):
        await embedded.infer("toy_double", X)

    answer = await RetryingEngine(embedded, lambda: None).infer("toy_double", X, timeout=30)
    np.testing.assert_array_equal(answer.outputs["y"], 2 * X["x"])
    assert await embedded.healthy()
    assert embedded.triton.restarts == restarts + 1
    assert embedded.triton.pid not in (None, killed)
    await wait_until(lambda: all(gone(worker) for worker in workers))


async def test_repeated_calls_lose_nothing_when_triton_is_killed(embedded: EmbeddedEngine) -> None:
    retries = answers = 0

    def on_retry() -> None:
        nonlocal retries
        retries += 1

    engine = RetryingEngine(embedded, on_retry)

    async def job(number: int) -> None:
        nonlocal answers
        for step in range(100):
            x = np.full((1, 3), 100 * number + step, np.float32)
            answer = await engine.infer("toy_double", {"x": x}, timeout=30)
            np.testing.assert_array_equal(answer.outputs["y"], 2 * x)
            answers += 1

    jobs = [asyncio.create_task(job(number)) for number in range(16)]
    await wait_until(lambda: answers > 100)
    assert not any(task.done() for task in jobs)
    assert embedded.triton.pid is not None
    os.kill(embedded.triton.pid, signal.SIGKILL)
    await asyncio.gather(*jobs)
    assert answers == 1600
    assert retries >= 16


async def test_triton_is_started_again_when_a_worker_dies_even_if_it_takes_two_attempts(
    embedded: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, restarts = embedded.triton.pid, embedded.triton.restarts
    assert before is not None
    attempts = 0

    def spawn(*arguments: Any) -> subprocess.Popen[str]:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise OSError(errno.ENOMEM, "Cannot allocate memory")
        return launch.spawn(*arguments)

    monkeypatch.setattr(child, "spawn", spawn)
    os.kill(workers_of(before)[0], signal.SIGKILL)
    engine = RetryingEngine(embedded, lambda: None)
    await wait_until(lambda: embedded.triton.restarts > restarts)
    cases: dict[str, dict[str, Array]] = {"toy_double": X, "toy_work": {"rounds": np.array([[1]], np.int32)}}
    for graph, inputs in cases.items():
        await engine.infer(graph, inputs, timeout=30)
    assert embedded.triton.pid != before
    assert attempts == 2


PARENT = """
import asyncio, sys
from pathlib import Path
import numpy as np
from relatent_service.engine.embedded.engine import EmbeddedEngine

async def main():
    engine = EmbeddedEngine(Path(sys.argv[1]))
    await engine.start()
    minutes = np.array([[100_000_000]], np.int32)
    work = asyncio.create_task(engine.infer("toy_work", {"rounds": minutes}))
    await asyncio.sleep(0.5)
    print(engine.triton.pid, flush=True)
    await work

asyncio.run(main())
"""


async def test_triton_and_hanging_workers_die_with_a_killed_parent_and_the_next_one_leaves_nothing(
    tmp_path: Path,
) -> None:
    write_model(tmp_path, "toy_work", work())
    before = set(regions_of(leftovers.PREFIX))
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        triton = int(await asyncio.to_thread(parent.stdout.readline))
        family = [triton, *children_of(triton)]
        assert len(family) == 3  # itself, its guard, one worker
        left = set(regions_of(leftovers.PREFIX)) - before
        assert left
        # One that hangs, as they do now and then when Triton is gone, notices nothing by itself.
        (worker,) = workers_of(triton)
        os.kill(worker, signal.SIGSTOP)
    finally:
        parent.kill()
        parent.communicate()
    await wait_until(lambda: all(gone(process) for process in family))

    next_one = EmbeddedTriton(tmp_path)
    await next_one.start()
    pid = next_one.pid
    assert pid is not None
    family = [pid, *children_of(pid)]
    now = set(regions_of(leftovers.PREFIX))
    assert not left & now
    await next_one.stop()
    assert all(gone(process) for process in family)
    assert not (now - before) & set(regions_of(leftovers.PREFIX))
    assert next_one.pid is None


async def test_what_triton_says_is_told_when_it_cannot_load_a_model(tmp_path: Path) -> None:
    write_model(tmp_path, "toy_double", double())
    (tmp_path / "toy_double" / "1" / "model.onnx").write_bytes(b"not a graph")
    before = set(regions_of(leftovers.PREFIX))
    with pytest.raises(EngineUnavailable, match=r"(?s)Triton did not start.*toy_double"):
        await EmbeddedTriton(tmp_path).start()
    assert set(regions_of(leftovers.PREFIX)) <= before


@pytest.mark.parametrize("crashes", [1, 2, 3])
async def test_a_triton_that_crashes_as_it_starts_is_started_again_twice_at_most(
    crashes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write_model(tmp_path, "toy_double", double())
    left, spawn = [crashes], launch.spawn

    def crashing(*args: Any) -> subprocess.Popen[str]:
        process = spawn(*args)
        if left[0]:
            left[0] -= 1
            os.killpg(process.pid, signal.SIGABRT)
        return process

    monkeypatch.setattr(child, "spawn", crashing)
    triton = EmbeddedTriton(tmp_path)
    if crashes < 3:
        await triton.start()
        assert triton.pid is not None
    else:
        with pytest.raises(EngineUnavailable, match="Triton did not start: it was ended by SIGABRT"):
            await triton.start()
    assert caplog.text.count("starting Triton again") == min(crashes, 2)
    await triton.stop()


async def test_triton_warms_a_graph_up_with_a_step_at_every_batch_size(tmp_path: Path) -> None:
    write_model(tmp_path, "toy_choosy", choosy(), warmup={"steps": np.array([1], "<i4").tobytes()})
    engine = EmbeddedTriton(tmp_path)
    await engine.start()
    await engine.stop()
    (tmp_path / "toy_choosy" / "warmup" / "steps").write_bytes(bytes(4))
    # Triton 2.51 tells which model it was, or crashes as it is about to: the graph's own words come first.
    with pytest.raises(EngineUnavailable, match=r"(?s)Triton did not start: it .*Non-zero status code"):
        await engine.start()


async def test_an_empty_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match=r"expected at least one folder with a config\.pbtxt"):
        await EmbeddedTriton(tmp_path).start()


async def test_without_libpython_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_model(tmp_path, "toy_double", double())
    assert why_not() is None
    monkeypatch.setattr(installation, "library_folders", lambda: [tmp_path])
    reason = why_not()
    assert reason is not None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert reason.endswith(f"apt-get install libpython{version}")
    with pytest.raises(EngineUnavailable, match=re.escape(reason)):
        await EmbeddedTriton(tmp_path).start()
