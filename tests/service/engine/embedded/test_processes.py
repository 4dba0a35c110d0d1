from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from relatent_service.engine.embedded.processes import (
    activity_of,
    arguments_of,
    children_of,
    first_to_end,
    kill_group,
    reap_group,
    sleeps,
)


async def test_the_first_of_several_to_end_is_told_even_if_it_has_ended_already() -> None:
    long = subprocess.Popen(["sleep", "60"])
    short = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    assert {long.pid, short.pid} <= set(children_of(os.getpid()))
    assert short.stdin is not None
    short.stdin.close()  # it ends when there is nothing left to read
    try:
        assert await first_to_end([long.pid, short.pid]) == short.pid
        assert short.pid not in children_of(os.getpid()), "a zombie is no child any more"
        short.wait()
        assert await first_to_end([long.pid, short.pid]) == short.pid
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(first_to_end([long.pid]), 0.05)
    finally:
        long.kill()
        long.wait()


def test_a_whole_group_is_killed_and_an_ended_one_is_no_error() -> None:
    shell = subprocess.Popen(
        ["bash", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True, text=True
    )
    assert shell.stdout is not None
    assert shell.stdout.readline()
    kill_group(shell.pid)
    shell.communicate(timeout=5)  # the pipe closes when the last of them is gone
    kill_group(shell.pid)


FIRST_PROCESS = """
import ctypes, subprocess
from pathlib import Path
from relatent_service.engine.embedded.processes import kill_group, reap_group

PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
bystander = subprocess.Popen(["true"])
shell = subprocess.Popen(
    # The leader becomes a program that never waits: a shell may wait for a killed child of its own
    # before it has heard that it is killed as well, and there would be an orphan fewer.
    ["bash", "-c", "sleep 60 & sleep 60 & echo $(jobs -p); exec sleep 60"],
    stdout=subprocess.PIPE, start_new_session=True, text=True,
)
workers = shell.stdout.readline().split()
kill_group(shell.pid)
shell.wait()
left = [worker for worker in workers if Path(f"/proc/{worker}").exists()]
reap_group(shell.pid)
print(len(left), [worker for worker in workers if Path(f"/proc/{worker}").exists()], bystander.wait())
"""
"""Inherits orphans as the first process of a container does."""


def test_the_first_process_of_a_container_keeps_no_zombie_of_a_killed_group() -> None:
    command = [sys.executable, "-c", FIRST_PROCESS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "2 [] 0\n", (
        "two orphans, none of them left, and another child still to be waited for"
    )


def test_elsewhere_orphans_are_not_ours_to_wait_for() -> None:
    ended = subprocess.Popen(["true"], start_new_session=True)
    ended.wait()
    reap_group(ended.pid)


def test_what_a_process_does_tells_a_stopped_one_from_one_that_sleeps_and_one_that_works() -> None:
    program = "import sys, threading, time; threading.Thread(target=sys.stdin.read).start()\nwhile True: pass"
    busy = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    idle = subprocess.Popen(["sleep", "60"])
    try:
        while arguments_of(idle.pid)[0] != "sleep":
            pass
        while (works := activity_of(busy.pid)) is None or works.seconds < 0.1:
            pass
        rests = activity_of(idle.pid)
        assert rests is not None
        assert (sleeps(busy.pid), works.stopped) == (False, False), "one thread of two works"
        assert (sleeps(idle.pid), rests.stopped, rests.seconds < 0.1) == (True, False, True)
        os.kill(busy.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, busy.pid, os.WSTOPPED)
        stopped = activity_of(busy.pid)
        assert stopped is not None
        assert stopped.stopped
    finally:
        for process in (busy, idle):
            process.kill()
            process.communicate()
    assert activity_of(idle.pid) is None
    assert not sleeps(idle.pid)
    assert arguments_of(idle.pid) == []
