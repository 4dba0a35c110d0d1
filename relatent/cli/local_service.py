"""A service of our own: started as a process, waited for, and stopped."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from relatent.cli import serve
from relatent.client.errors import RelatentError
from relatent.core.addresses import LOOPBACK

_STOP_SECONDS = 15.0


class StartError(RelatentError):
    """The service did not come up."""


class LocalService:
    """Runs `relatent serve` on loopback ports that the system chooses, as long as the block lasts.

    It also ends with this process, should that be killed.

    Args:
        flags: of the service, beside its addresses.
        log: what it prints goes here.
        timeout: seconds until it must be serving.
    """

    def __init__(self, flags: Sequence[str], log: Path, timeout: float = 120.0) -> None:
        self._flags = flags
        self._log = log
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self.ready: Mapping[str, Any] = {}
        """What the service says of itself once it serves: `grpc`, its address, and more."""

    @property
    def address(self) -> str:
        """Where it serves gRPC, host:port."""
        return str(self.ready["grpc"])

    @property
    def pid(self) -> int:
        """The process."""
        if self._process is None:
            raise RuntimeError("the service is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> None:
        with tempfile.TemporaryDirectory(prefix="relatent-") as folder, self._log.open("wb") as log:
            ready_file = Path(folder) / "ready.json"
            ports = ["--listen", f"{LOOPBACK}:0", "--metrics-listen", f"{LOOPBACK}:0"]
            # Whatever the environment says of another one.
            open_to_us = ["--tls-certificate=", "--tls-key=", "--tls-client-ca=", "--api-keys="]
            files = ["--ready-file", str(ready_file), "--stop-with-stdin", "yes"]
            words = serve.command([*ports, *open_to_us, *files, *self._flags])
            # A pipe that nothing is written to: it ends when we do, however that comes.
            # A session of its own: the terminal's Ctrl-C reaches us alone, and we stop it in order.
            self._process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
            self.ready = self._wait_until_ready(self._process, ready_file)

    def _wait_until_ready(self, process: subprocess.Popen[bytes], ready_file: Path) -> Mapping[str, Any]:
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise StartError(f"the service ended with code {process.returncode}: {self._last_words()}")
            try:
                ready: dict[str, Any] = json.loads(ready_file.read_text())
            except (FileNotFoundError, json.JSONDecodeError):  # not yet, or being written
                time.sleep(0.05)
            else:
                return ready
        raise StartError(f"the service was not ready after {self._timeout:.0f} s: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "it said nothing"
        # What ended the process may have said so outside the log.
        with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
            last = json.loads(last)["message"]
        return f"{last} (all of it: {self._log})"

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:  # closes the pipe at its end
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that the service is stopped too."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
