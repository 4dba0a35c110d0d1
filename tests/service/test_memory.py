"""What the service has done with goes back to the system."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from relatent_service.memory import HEAPS

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library than glibc")

PIECES, MIB = 24, 2**20
PROGRAM = f"""
import sys
from relatent_service.memory import give_back

if "give back" in sys.argv:
    give_back()
# The largest that was ever freed, by which glibc tells what is large.
del (largest := [bytearray(16 * {MIB})])[0]
# Something small above each large piece, so that heaps end in what is in use.
held = [(bytearray({MIB}), bytearray(50_000)) for _ in range({PIECES})]
small = [above for _, above in held]
del held
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmRSS:")))
"""


def resident_mib(*arguments: str, **environment: str) -> float:
    """What such a process has in use at the end."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    told = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return int(told.stdout) / 1024


def test_large_pieces_go_back_to_the_system_however_large_one_before_them_was() -> None:
    kept, given_back = resident_mib(), resident_mib("give back")
    assert kept - given_back > PIECES * 0.8, "glibc keeps them"


def test_the_environment_has_the_last_word() -> None:
    chosen = resident_mib("give back", MALLOC_MMAP_THRESHOLD_=str(32 * MIB))
    assert chosen - resident_mib("give back") > PIECES * 0.8


def heaps(**environment: str) -> int:
    """How many a process has of which sixteen threads ask for memory at the same time."""
    program = """
import ctypes, threading
from relatent_service.memory import give_back

give_back()
all_there = threading.Barrier(16)
threads = [threading.Thread(target=lambda: (bytearray(50_000), all_there.wait())) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
ctypes.CDLL(None).malloc_stats()
"""
    command = [sys.executable, "-c", program]
    told = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return sum(line.startswith("Arena ") for line in told.stderr.splitlines())


def test_all_threads_share_a_few_heaps() -> None:
    assert heaps() == HEAPS


def test_of_which_the_environment_says_how_many_and_nothing_else_by_that() -> None:
    assert heaps(MALLOC_ARENA_MAX="5") == 5
    kept = resident_mib("give back", MALLOC_ARENA_MAX="5")
    assert kept - resident_mib("give back") < PIECES * 0.2
