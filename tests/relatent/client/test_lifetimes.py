"""A connection belongs to a process and an event loop; a client is used from many, and nothing hangs."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import relatent
from relatent.cli.local_service import LocalService
from relatent.client.aio import _Connections
from tests.fixtures import tiny

ROOT = Path(__file__).parents[3]
SECONDS = 60
FORK = "ignore:This process:DeprecationWarning"
PIXELS = np.zeros((8, 8, 3), np.uint8)

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real service, in a process of its own."""
    packs, repository = tiny.write_tiny(tmp_path_factory.mktemp("tiny"))
    flags = ["--engine", "local", "--packs", str(packs), "--repository", str(repository)]
    with LocalService(flags, tmp_path_factory.mktemp("log") / "service.log") as service:
        yield service.address


def packs(client: relatent.Client) -> int:
    return len(client.catalog(timeout=20.0).packs)


PROGRAM = """
import asyncio, gc, os, signal, sys, threading
import numpy as np
import relatent

address = sys.argv[1]


async def packs(client):
    return len((await client.catalog(timeout=20.0)).packs)


def blocking_packs(client):
    return len(client.catalog(timeout=20.0).packs)


def in_a_fork(work, leave=sys.exit):
    "Prints what came of it in a forked process, and its exit status: by Python's own way out unless told."
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        signal.alarm(30)  # nothing may hang
        try:
            print(work())
        except relatent.ClientStateError as error:
            print(error)
        sys.stdout.flush()
        leave(0)
    print("status", os.waitpid(child, 0)[1])
"""


def run(program: str, address: str, **environment: str) -> str:
    """Run a program with every warning shown but one; what it printed, nothing else having been said.

    From 3.12 on Python warns of every fork of a process with threads, such as gRPC's.
    """
    inherited = {name: value for name, value in os.environ.items() if name != "GRPC_ENABLE_FORK_SUPPORT"}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "always", "-W", FORK, "-c", PROGRAM + program, address],
        cwd=ROOT,
        env={**inherited, "GRPC_VERBOSITY": "NONE", **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if "took " not in line]  # asyncio's of a busy machine
    assert (done.returncode, said) == (0, []), done.stderr
    return done.stdout


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


@needs_fork
def test_a_client_is_used_before_a_fork_after_it_and_by_both(address: str) -> None:
    program = """
client = relatent.Client(address)
print(blocking_packs(client))
in_a_fork(lambda: blocking_packs(client))
print(blocking_packs(client))
in_a_fork(lambda: client.close())
print(blocking_packs(client))
client.close()
in_a_fork(lambda: blocking_packs(client))
"""
    assert run(program, address) == "1\n1\nstatus 0\n1\nNone\nstatus 0\n1\nthe client is closed\nstatus 0\n"


@needs_fork
def test_a_fork_amid_a_call_is_told_what_to_do_instead_and_leaves_the_call_alone(address: str) -> None:
    program = """
client = relatent.Client(address)
begun = threading.Event()
done = []


def invert():
    image = np.zeros((8, 8, 3), np.uint8)
    done.append(client.invert(image, steps=400, timeout=60, progress=lambda report: begun.set()).steps)


thread = threading.Thread(target=invert)
thread.start()
begun.wait()
in_a_fork(lambda: blocking_packs(client))
thread.join()
print(done)
in_a_fork(lambda: blocking_packs(client))
"""
    told = run(program, address)
    assert re.fullmatch(r"this process was forked while a call .*\nstatus 0\n\[400\]\n1\nstatus 0\n", told), (
        told
    )


@needs_fork
def test_a_fork_while_an_async_client_is_open_is_told_what_to_do_instead(address: str) -> None:
    program = """
client = relatent.AsyncClient(address)
print(asyncio.run(packs(client)))
in_a_fork(lambda: asyncio.run(packs(client)))
in_a_fork(lambda: asyncio.run(packs(relatent.AsyncClient(address))))
in_a_fork(lambda: blocking_packs(relatent.Client(address)))


def drop():
    global client
    del client
    return gc.collect() >= 0


in_a_fork(drop)
asyncio.run(client.close())
in_a_fork(lambda: asyncio.run(packs(relatent.AsyncClient(address))))
"""
    refused = (
        "this process was forked while an AsyncClient was open, and can use none: close it before, "
        "start processes by 'spawn' or 'forkserver', or use Client here"
    )
    assert run(program, address).splitlines() == [
        *("1", refused, "status 0", refused, "status 0", "1", "status 0", "True", "status 0", "1", "status 0")
    ]


@needs_fork
def test_a_fork_that_grpc_does_not_survive_is_told_rather_than_left_to_hang(address: str) -> None:
    program = """
import relatent.client.forks
relatent.client.forks._PATIENCE_SECONDS = 0.5
client = relatent.Client(address)
print(blocking_packs(client))
# They leave as multiprocessing's children do: where gRPC does not run, Python's own way out may abort in it.
in_a_fork(lambda: blocking_packs(client), os._exit)
in_a_fork(lambda: asyncio.run(packs(relatent.AsyncClient(address))), os._exit)
print(blocking_packs(client))
"""
    refused = (
        "gRPC does not run in this process, which was forked from one that had used it: leave "
        "GRPC_ENABLE_FORK_SUPPORT unset, or start processes by 'spawn' or 'forkserver'"
    )
    said = run(program, address, GRPC_ENABLE_FORK_SUPPORT="0").splitlines()
    assert said == ["1", refused, "status 0", refused, "status 0", "1"]


@needs_fork
@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_client_goes_along_to_worker_processes(address: str, method: str) -> None:
    with relatent.Client(address) as client:
        assert packs(client) == 1
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            assert list(pool.map(packs, [client] * 4, timeout=SECONDS)) == [1] * 4


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
        client._transport._connections[asked] = _Connections()
        asyncio.run(look())
    assert not begins


def test_a_loop_that_ends_while_its_client_is_closed_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    client = relatent.AsyncClient("127.0.0.1:1")
    with closing(asyncio.new_event_loop()) as ended:
        client._transport._connections[ended] = _Connections()
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
