"""Real servers: `python -m relatent_service` with its own embedded Triton, as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.fixtures.service_logs import log_lines, triton_pid

READY_SECONDS = 180


class ServiceProcess:
    """One server process.

    Args:
        root: folder with `packs` and `model_repository`.
        work: folder for its log and ready file.
        flags: further ones.
        within: the words of a command that starts it, such as `nsenter`.
        environment: beside this process's own.
        log: what it says goes there; None: into the folder.
    """

    def __init__(
        self,
        root: Path,
        work: Path,
        *flags: str,
        within: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        work.mkdir(parents=True)
        self._log = log or work / "log"
        self._ready = work / "ready.json"
        arguments = {
            "--listen": "127.0.0.1:0",
            "--metrics-listen": "127.0.0.1:0",
            "--packs": root / "packs",
            "--repository": root / "model_repository",
            "--engine": "embedded",
            "--ready-file": self._ready,
        }
        command = [*within, sys.executable, "-P", "-m", "relatent_service"]
        command += [str(part) for pair in arguments.items() for part in pair] + list(flags)
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, env={**os.environ, **(environment or {})}
            )
        self.address = self.triton_metrics = ""
        self.ready: dict[str, str] = {}
        self._metrics = ""

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def wait_ready(self) -> None:
        """Wait until it serves."""
        deadline = time.monotonic() + READY_SECONDS
        while not self._ready.exists():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        self.ready = json.loads(self._ready.read_text())
        self.address, self._metrics = self.ready["grpc"], self.ready["metrics"]
        self.triton_metrics = self.ready.get("triton_metrics", "")

    def log_lines(self, message: str) -> list[dict[str, Any]]:
        """What it logged that begins so."""
        return log_lines(self._log, message)

    def triton_pid(self) -> int:
        """The process of the Triton that it started last."""
        return triton_pid(self._log)

    def kill_triton(self) -> None:
        """End its Triton as a crash would."""
        os.kill(self.triton_pid(), signal.SIGKILL)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()
        self._process.wait(10)

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.terminate()

    def wait(self, seconds: float) -> int:
        """Wait for its end; its exit status."""
        return self._process.wait(seconds)

    def end(self) -> None:
        """Make sure that it has ended."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels."""
        return _sum(self._metrics, name, labels)

    def triton_metric(self, name: str, **labels: str) -> float:
        """The same of its Triton's own; names of counters end in `_total`."""
        return _sum(self.triton_metrics, name, labels)


def _sum(address: str, name: str, labels: Mapping[str, str]) -> float:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as response:
        families = text_string_to_metric_families(response.read().decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@contextmanager
def running(root: Path, folder: Path) -> Iterator[ServiceProcess]:
    """A service of what lies below a root, ready, and ended in any case."""
    service = ServiceProcess(root, folder)
    try:
        service.wait_ready()
        yield service
    finally:
        service.end()
