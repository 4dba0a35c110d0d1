"""Clients before and after a fork: used where gRPC runs, told what to do where not, and never hung."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

import relatent
from tests.relatent.client.programs import FORK, SECONDS, packs, run

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

HUNG = f"status {signal.SIGALRM.value}"
"""Of a process that gRPC's own handlers held up within fork(), before any line of ours (docs/clients.md)."""
KEEPING = """
import os, sys
from relatent.client.forks import keep_for_good


class Channel:
    def __init__(self, name):
        self.name = name

    def __del__(self, write=os.write):
        write(1, f"{self.name} is gone\\n".encode())
"""


def said(program: str) -> str:
    """What a program printed up to its last word."""
    command = [sys.executable, "-u", "-X", "dev", "-W", FORK, "-c"]
    done = subprocess.run([*command, KEEPING + program], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_what_is_kept_for_good_outlasts_the_program_with_all_that_it_holds() -> None:
    program = """
kept = Channel("kept")
kept.within = Channel("within")
keep_for_good(kept)
print("end")
"""
    assert said(program) == "end\n"


@needs_fork
def test_a_forked_process_keeps_the_channels_of_an_open_async_client_even_as_it_ends() -> None:
    program = """
from relatent.client import async_transport

channel = Channel("a channel")
async_transport._open_channels.add(channel)
if (child := os.fork()) == 0:
    del channel
    sys.exit()
os.waitpid(child, 0)
print("the parent's end")
"""
    assert said(program) == "the parent's end\na channel is gone\n"


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
forked = threading.Event()
done = []


def hold(report):
    # However slowly the other thread comes to its turn, the call is still open when it forks.
    begun.set()
    forked.wait()


def invert():
    image = np.zeros((8, 8, 3), np.uint8)
    done.append(client.invert(image, steps=400, timeout=60, progress=hold).steps)


thread = threading.Thread(target=invert)
thread.start()
begun.wait()
in_a_fork(lambda: blocking_packs(client))
forked.set()
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
# They leave as multiprocessing's children do; what Python's own way out lets go of is tried above.
in_a_fork(lambda: asyncio.run(packs(client)), os._exit)
in_a_fork(lambda: asyncio.run(packs(relatent.AsyncClient(address))), os._exit)
in_a_fork(lambda: blocking_packs(relatent.Client(address)), os._exit)


def drop():
    global client
    del client
    return gc.collect() >= 0


in_a_fork(drop, os._exit)
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
    for _ in range(3):
        said = run(program, address, GRPC_ENABLE_FORK_SUPPORT="0").splitlines()
        if HUNG not in said:
            break
    assert said == ["1", refused, "status 0", refused, "status 0", "1"]


@needs_fork
@pytest.mark.filterwarnings(FORK)
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_client_goes_along_to_worker_processes(address: str, method: str) -> None:
    with relatent.Client(address) as client:
        assert packs(client) == 1
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(method)) as pool:
            assert list(pool.map(packs, [client] * 4, timeout=SECONDS)) == [1] * 4
