"""Puts what libraries write past the log into the log's form: one JSON object a line.

    python -I stray_lines.py

gRPC's core, ONNX Runtime and the interpreter itself write to standard error as they please. The service
gives them a pipe in its place, and this program, at the other end, writes each of their lines as a record.
It is a process of its own, so that the last words of one that crashes are told as well; it ends when all who
could write to the pipe have ended. Of a container's first process the kernel takes it along: there the last
words of a crash outside Python are lost, and the interpreter's own, which go straight to the log, remain.
"""

from __future__ import annotations

import atexit
import faulthandler
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

STDERR = 2
LAST_SECONDS = 2.0
LOGGER = "stderr"


def divert() -> TextIO:
    """Give everybody else a pipe for standard error; what the log itself is to be written to.

    Where no process can be had for it, all stays as it is.
    """
    log = os.fdopen(os.dup(STDERR), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    faulthandler.enable(log)
    read_end, write_end = os.pipe()
    try:
        helper = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=read_end,
            stdout=log.fileno(),
            start_new_session=True,
        )
        os.dup2(write_end, STDERR)
        atexit.register(_finish, log, helper)
    except OSError:
        return log
    finally:
        os.close(read_end)
        os.close(write_end)
    return log


def _finish(log: TextIO, helper: subprocess.Popen[bytes]) -> None:
    """Have everything told before this process ends, which may be all that a container waits for."""
    os.dup2(log.fileno(), STDERR)
    with suppress(subprocess.TimeoutExpired):  # somebody else still holds the pipe
        helper.wait(LAST_SECONDS)


def main() -> None:
    """Pass lines on until there is nobody left to write any."""
    # Whoever tells all of a service's processes to end wants to see what it says at its end.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for raw in sys.stdin.buffer:
        text = raw.decode(errors="backslashreplace").rstrip()
        if not text:
            continue
        record = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "level": "warning",
            "logger": LOGGER,
            "message": text,
        }
        with suppress(OSError):  # no room is left for it; there may be for later ones
            os.write(1, (json.dumps(record, ensure_ascii=False) + "\n").encode())


if __name__ == "__main__":
    main()
