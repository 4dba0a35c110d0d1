import asyncio

import pytest

from relatent_service.errors import NotReady
from relatent_service.traffic.lifecycle import Lifecycle, State


async def test_calls_are_taken_only_while_serving():
    life = Lifecycle()
    with pytest.raises(NotReady, match="the engine is starting"), life.call():
        pass
    life.serve()
    with life.call():
        assert life.running == 1
    life.drain()
    with pytest.raises(NotReady) as caught, life.call():
        pass
    assert caught.value.reason == "DRAINING"
    assert life.running == 0


async def test_a_drain_that_came_first_is_not_undone_by_a_late_start():
    life = Lifecycle()
    life.drain()
    life.serve()
    assert life.state is State.DRAINING


async def test_it_is_idle_when_the_last_call_has_ended_even_by_an_error():
    life = Lifecycle()
    life.serve()

    async def fail():
        with life.call():
            await asyncio.sleep(0.02)
            raise ZeroDivisionError

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    assert not await life.idle(0.001)
    assert await life.idle(1)
    with pytest.raises(ZeroDivisionError):
        await task


async def test_work_ends_between_chunks_only_when_stopping():
    life = Lifecycle()
    life.serve()
    life.check_not_stopping()
    life.drain()
    life.check_not_stopping()
    life.stop()
    with pytest.raises(NotReady, match="checkpoint"):
        life.check_not_stopping()
