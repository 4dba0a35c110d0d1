"""Turns of an inversion at the engine: when it waits for one, and who waits for it meanwhile."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import grpc
import pytest

from relatent.v1 import inversion_pb2 as v1
from relatent_service.errors import NotReady
from tests.fixtures.requests import image
from tests.fixtures.tiny import MAX_STEPS

pytestmark = pytest.mark.asyncio(loop_scope="function")

REFINE = "tiny_refine"


@pytest.fixture
def apart(running: Any, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each turn that is asked for with nobody waiting meanwhile: how many engine calls came before."""
    share, found = running.server.admission.share, list[int]()
    turn = share.turn

    def noted(call: Any, seconds: float, timeout: Any = None, meanwhile: Any = nullcontext) -> Any:
        if meanwhile is not nullcontext:
            found.append(len(running.engine.calls))
        return turn(call, seconds, timeout, meanwhile)

    monkeypatch.setattr(share, "turn", noted)
    return found


async def stream(running: Any, **fields: Any) -> None:
    options = v1.InversionOptions(refinement=v1.Refinement(steps=4 * MAX_STEPS))
    request = v1.InvertStreamRequest(image=image(), options=options, **fields)
    async for _ in running.inversion.InvertStream(request, timeout=20):
        pass


@pytest.mark.parametrize(
    ("owner", "check"), [("admission", "check_in_time"), ("lifecycle", "check_not_stopping")]
)
async def test_one_that_is_to_end_does_so_before_it_waits_for_another_turn(
    running: Any, apart: list[int], monkeypatch: pytest.MonkeyPatch, owner: str, check: str
) -> None:
    def end(*_: Any) -> None:
        if REFINE in [graph for graph, _ in running.engine.calls]:
            raise NotReady("it is to end", 1.0)

    monkeypatch.setattr(getattr(running.server, owner), check, end)
    with pytest.raises(grpc.RpcError, match="it is to end"):
        await stream(running)
    assert len(apart) == 1


async def test_nobody_waits_for_one_that_waits_for_the_turn_of_a_preview(
    running: Any, apart: list[int]
) -> None:
    await stream(running, preview_every=1)
    assert len(apart) == 4 + 5, "of the chunks, and of the previews before them and after"
