from __future__ import annotations

import asyncio
import os
import subprocess

import pytest

from service.engine.processes import children_of, first_to_end, kill_group


async def test_the_first_of_several_to_end_is_told_even_if_it_has_ended_already() -> None:
    long, short = (subprocess.Popen(["sleep", seconds]) for seconds in ("60", "0.1"))
    assert {long.pid, short.pid} <= set(children_of(os.getpid()))
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
