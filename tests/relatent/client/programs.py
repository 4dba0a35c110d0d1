"""Programs that use clients, run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import relatent

ROOT = Path(__file__).parents[3]
SECONDS = 60
FORK = "ignore:This process:DeprecationWarning"

PROGRAM = """
import asyncio, gc, os, select, signal, sys, threading
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
    began, begin = os.pipe()
    if (child := os.fork()) == 0:
        os.write(begin, b"1")
        signal.alarm(30)  # nothing may hang
        try:
            print(work())
        except relatent.ClientStateError as error:
            print(error)
        sys.stdout.flush()
        leave(0)
    # What gRPC does in a new process before fork() is over there may hang on a busy machine; no line of ours
    # has run then, so it is no matter of ours.
    if not select.select([began], [], [], 10)[0]:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return in_a_fork(work, leave)
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


def packs(client: relatent.Client) -> int:
    return len(client.catalog(timeout=20.0).packs)
