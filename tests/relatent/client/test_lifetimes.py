"""A connection belongs to a process and an event loop; a client is used from many, and nothing hangs."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

import relatent
from relatent.client.async_transport import _Connections
from tests.relatent.client.programs import SECONDS, packs, run

PIXELS = np.zeros((8, 8, 3), np.uint8)


def test_an_async_client_is_used_in_one_loop_after_another(address: str) -> None:
    program = """
client = relatent.AsyncClient(address)
for _ in range(3):
    print(asyncio.run(packs(client)))
asyncio.run(client.close())
"""
    assert run(program, address) == "1\n1\n1\n"


def test_an_async_client_is_used_in_two_loops_at_a_time(address: str) -> None:
    program = """
client = relatent.AsyncClient(address)
both, sums = threading.Barrier(2), []


async def many():
    both.wait(20)
    sums.append(sum(await asyncio.gather(*(packs(client) for _ in range(20)))))


threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sums)
"""
    assert run(program, address) == "[20, 20]\n"


def test_an_async_client_that_is_never_closed_leaves_without_a_word(address: str) -> None:
    program = """
kept = relatent.AsyncClient(address)


async def main():
    dropped = relatent.AsyncClient(address)
    print(await packs(dropped), await packs(kept))


asyncio.run(main())
"""
    assert run(program, address) == "1 1\n"


def test_a_loop_that_begins_while_another_looks_for_its_connections_disturbs_nothing() -> None:
    client = relatent.AsyncClient("127.0.0.1:1")
    begins = [True]

    async def look() -> None:
        client._transport._here()

    class Asked(asyncio.SelectorEventLoop):
        """When first asked after, another begins."""

        def is_closed(self) -> bool:
            if begins and begins.pop():
                with ThreadPoolExecutor(1) as thread:
                    thread.submit(lambda: asyncio.run(look())).result(SECONDS)
            return super().is_closed()

    with closing(Asked()) as asked:
        client._transport._connections[asked] = _Connections(client._settings)
        asyncio.run(look())
    assert not begins


def test_a_loop_that_ends_while_its_client_is_closed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    client = relatent.AsyncClient("127.0.0.1:1")
    with closing(asyncio.new_event_loop()) as ended:
        client._transport._connections[ended] = _Connections(client._settings)
    monkeypatch.setattr(ended, "is_running", lambda: True)  # as it was when asked
    asyncio.run(client.close())
    with pytest.raises(relatent.ClientStateError, match="the client is closed"):
        asyncio.run(client.pack())


@pytest.mark.parametrize("kind", [relatent.Client, relatent.AsyncClient])
def test_a_client_comes_back_from_a_pickle_with_its_settings_and_open(
    kind: Callable[..., relatent.Client],
) -> None:
    made = kind("a:1,b:2", timeout=3.0, max_message_bytes=70_000, retry=relatent.RetryPolicy(initial=7.0))
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is kind
    assert again._settings == made._settings
    assert again._settings.addresses == ("a:1", "b:2")


def test_a_closed_client_cannot_be_pickled() -> None:
    client = relatent.Client()
    client.close()
    with pytest.raises(relatent.ClientStateError, match="the client is closed"):
        pickle.dumps(client)


def test_one_client_serves_many_threads(address: str) -> None:
    with relatent.Client(address) as client, ThreadPoolExecutor(16) as threads:
        assert list(threads.map(lambda _: packs(client), range(64))) == [1] * 64


def test_a_client_closed_in_another_thread_ends_its_calls_and_says_so(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    client, begun = relatent.Client(address), threading.Event()

    def report(progress: relatent.Progress) -> None:
        if progress.steps:
            begun.set()

    with ThreadPoolExecutor(4) as threads:
        calls = [threads.submit(client.invert, PIXELS, steps=2000, progress=report) for _ in range(4)]
        assert begun.wait(SECONDS)
        client.close()
        errors = [call.exception(SECONDS) for call in calls]
    for error in errors:
        assert isinstance(error, relatent.ClientStateError)
        assert isinstance(error, RuntimeError)
        assert "closed" in str(error)
    assert any(isinstance(error, relatent.RelatentError) and error.checkpoint for error in errors)
    assert caplog.records == [], "it was taken for a server that was lost"


async def test_an_async_client_closed_under_a_call_ends_it_and_says_so(address: str) -> None:
    client, begun = relatent.AsyncClient(address), asyncio.Event()
    call = asyncio.create_task(client.invert(PIXELS, steps=2000, progress=lambda report: begun.set()))
    waiting = asyncio.create_task(relatent_pause(client))
    await asyncio.wait_for(begun.wait(), SECONDS)
    await client.close()
    for task in (call, waiting):
        with pytest.raises(relatent.ClientStateError, match="the client was closed during the call"):
            await asyncio.wait_for(task, SECONDS)


async def relatent_pause(client: relatent.AsyncClient) -> None:
    """Wait as between two attempts, for longer than a test may take."""
    from relatent.client.retrying import Flow, Sleep

    def flow() -> Flow[None]:
        yield Sleep(3600)

    await client._transport.run(flow())


async def test_cancelling_a_task_is_no_error_of_the_clients(address: str) -> None:
    async with relatent.AsyncClient(address) as client:
        begun = asyncio.Event()
        task = asyncio.create_task(client.invert(PIXELS, steps=2000, progress=lambda report: begun.set()))
        await asyncio.wait_for(begun.wait(), SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
