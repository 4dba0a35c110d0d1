import asyncio
import shutil

import pytest

from relatent_service import readiness
from relatent_service.engine.engine import EngineUnavailable
from relatent_service.traffic.lifecycle import State
from relatent_service.traffic.pace import INITIAL_SECONDS_A_RUN
from tests.fixtures.running import running_server


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(readiness, "RETRY_SECONDS", 0.05)


async def test_it_is_not_ready_while_graphs_and_pack_disagree_and_is_once_they_agree(tiny_root, tmp_path):
    for folder in ("packs", "model_repository"):
        shutil.copytree(tiny_root / folder, tmp_path / folder)
    config = tmp_path / "model_repository/tiny_synthesize/config.pbtxt"
    right = config.read_text()
    config.write_text(right.replace("1" * 64, "2" * 64))
    async with running_server(tmp_path, ready=False) as running:
        start = asyncio.create_task(running.server.readiness.start())
        await running.until(lambda: "tiny_synthesize" in running.server.lifecycle.why_not_ready)
        await asyncio.sleep(0.2)
        meanwhile = running.server.lifecycle.state
        assert meanwhile is State.STARTING
        assert "2" * 64 in running.server.lifecycle.why_not_ready
        config.write_text(right)
        await asyncio.wait_for(start, 10)
        assert running.server.lifecycle.state is State.SERVING


async def test_an_engine_that_does_not_come_up_is_tried_again(tiny_root):
    async with running_server(tiny_root, ready=False) as running:
        running.engine.errors["tiny_refine"] = [EngineUnavailable("not yet"), EngineUnavailable("not yet")]
        await asyncio.wait_for(running.server.readiness.start(), 10)
        assert running.server.lifecycle.state is State.SERVING


async def test_what_every_graph_costs_is_measured_before_the_first_call(tiny_root):
    async with running_server(tiny_root, ready=False) as running:
        running.engine.delay = 0.1
        await running.server.readiness.start()
        pace = running.server.admission.pace
        # A chunk of 4 steps; no guess is as high, and a busy machine only makes it higher.
        assert pace.cost("tiny_refine") >= 0.025 > INITIAL_SECONDS_A_RUN
        for kind in ("map", "encode", "synthesize", "assess"):
            assert pace.cost(f"tiny_{kind}") >= 0.1


async def test_the_first_run_of_a_graph_is_not_taken_for_what_it_costs(tiny_root, monkeypatch):
    async with running_server(tiny_root, ready=False) as running:
        infer, seen = running.engine.infer, set()

        async def slow_at_first(graph, inputs, timeout=None):
            if graph not in seen:
                seen.add(graph)
                await asyncio.sleep(0.3)
            return await infer(graph, inputs, timeout)

        monkeypatch.setattr(running.engine, "infer", slow_at_first)
        await running.server.readiness.start()
        pace = running.server.admission.pace
        assert all(pace.cost(graph) < 0.1 for graph in seen)
