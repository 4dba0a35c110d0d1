"""Where nobody traces, nothing is imported, kept or made; where somebody does, what becomes of spans."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import StatusCode

from relatent.core import tracing
from relatent.core.spans import NO_SPAN
from relatent.core.tracing import first_span, span
from tests.fixtures.traces import Traces, recording

ROOT = Path(__file__).parents[3]
CALLS = """
import asyncio, sys
from pathlib import Path
import relatent, relatent.cli.main, relatent_service.main
from relatent.core.tracing_setup import set_up
from relatent_service.engine.retrying import RetryingEngine
from relatent_service.engine.traced import traced
from tests.fixtures.requests import REVISION, code
from tests.fixtures.running import running_server
from tests.fixtures.tiny import random_image, write_tiny

async def main(root):
    write_tiny(root)
    around = lambda engine: RetryingEngine(traced(engine), lambda: None)
    async with running_server(root, around=around) as running:
        async with relatent.AsyncClient(running.address) as client:
            await client.invert(random_image(1), steps=5)
            async with client.edit_session(relatent.LatentCode(code(1), "tiny", REVISION)) as session:
                session.change([relatent.Move("brightness", 1.0)])
                await session.answer()

assert set_up("test", {}) is False
asyncio.run(main(Path(sys.argv[1])))
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


@pytest.fixture
def traces() -> Iterator[Traces]:
    with recording() as found:
        yield found


@pytest.fixture
def nobody_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.trace")


def test_calls_from_client_to_engine_import_nothing_of_it_unless_asked(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CALLS, str(tmp_path)],
        cwd=ROOT,
        env={"PATH": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


@pytest.mark.usefixtures("nobody_traces")
def test_where_nobody_traces_no_object_is_made() -> None:
    def work() -> None:
        with span("part") as part:
            part.set("relatent.rows", 1)
        with first_span("call"):
            tracing.annotate("relatent.rows", 1)
        assert tracing.span_of_caller("call", None) is part is NO_SPAN
        assert tracing.trace_headers() == ()
        assert tracing.sampled_headers() == ()
        assert tracing.exemplar() is None
        assert tracing.trace_id() == ""

    work()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in itertools.repeat(None, 1000):
            work()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 512, "one object more would stay, or come and go, a thousand times"


def test_a_part_is_of_the_span_at_hand_and_there_is_none_without_one(traces: Traces) -> None:
    assert span("part") is NO_SPAN
    with first_span("call"), span("part"), span("part of it"):
        pass
    call, part, inner = traces.spans
    assert (call.name, part.name, inner.name) == ("call", "part", "part of it")
    assert traces.parts(call) == [part]
    assert traces.parts(part) == [inner]


async def test_parts_of_calls_at_the_same_time_are_told_apart(traces: Traces) -> None:
    def in_thread(name: str) -> None:
        with span(f"thread of {name}"):
            pass

    async def call(name: str) -> None:
        with first_span(name):
            await asyncio.sleep(0)
            with span(f"part of {name}"):
                await asyncio.sleep(0)
                await asyncio.to_thread(in_thread, name)

    await asyncio.gather(call("a"), call("b"))
    for name in ("a", "b"):
        assert [part.name for part in traces.parts(traces.one(name))] == [f"part of {name}"]
        assert [part.name for part in traces.parts(traces.one(f"part of {name}"))] == [f"thread of {name}"]


def test_an_exception_leaves_its_kind_and_not_its_words(traces: Traces) -> None:
    with pytest.raises(ValueError, match="secret"), first_span("call"):
        raise ValueError("secret")
    (call,) = traces.spans
    assert call.status.status_code is StatusCode.ERROR
    assert dict(call.attributes or {}) == {"error.type": "ValueError"}
    assert "secret" not in call.to_json()


def test_whoever_is_cancelled_has_not_failed(traces: Traces) -> None:
    with pytest.raises(asyncio.CancelledError), first_span("call"):
        raise asyncio.CancelledError
    (call,) = traces.spans
    assert call.status.status_code is StatusCode.UNSET
    assert dict(call.attributes or {}) == {"relatent.cancelled": True}


def test_what_was_settled_is_not_told_anew(traces: Traces) -> None:
    def work() -> None:
        with first_span("call") as call:
            call.settle()
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        work()
    assert traces.one("call").status.status_code is StatusCode.UNSET


def test_a_first_look_from_many_threads_finds_the_same_tracer(traces: Traces) -> None:
    barrier = threading.Barrier(8)

    def call() -> None:
        barrier.wait()
        with first_span("call"):
            pass

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(traces.named("call")) == 8
