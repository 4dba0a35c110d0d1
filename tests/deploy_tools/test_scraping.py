"""A real Prometheus with the rules scrapes a real service and its Triton: the dashboard has what to show."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

import relatent
from relatent_service.engine.embedded.child import why_not
from scripts.dashboard_panels import ROWS
from tests.deploy.manifests import MONITORING, ROOT, documents, rules
from tests.fixtures.demo_service import serving

SECONDS = 90.0
NOT_THERE = (
    "nv_gpu_utilization",
    "relatent_rejected_total",
    "relatent_key_steps_total",
    "relatent_session_changes_total",
    "relatent_certificate_expires_timestamp_seconds",
    "relatent_latent_cache_errors_total",
    "redis_",
)
"""There is no GPU, no key, no TLS, nothing is turned away, no session has changes, and there is no Redis."""
SHORT = "30s"
LINES = [line for row in ROWS.values() for panel in row for line in panel.lines.values()]


class Prometheus:
    """One that runs, and is asked."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, expression: str) -> list[Any]:
        """The samples that an expression has now."""
        query = urlencode({"query": expression})
        with urlopen(f"http://{self._address}/api/v1/query?{query}", timeout=10) as answer:
            found: list[Any] = json.load(answer)["data"]["result"]
        return found

    def wait_for(self, expression: str) -> list[Any]:
        """The same as soon as there are some; none after a while."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if found := self.ask(expression):
                    return found
            except (URLError, ConnectionError):
                pass  # it is starting
            time.sleep(0.2)
        return []


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    if (reason := why_not()) is not None:
        pytest.fail(f"no embedded Triton here: {reason}")
    program = shutil.which("prometheus")
    assert program is not None, "prometheus is not there: apt-get install prometheus"
    folder = tmp_path_factory.mktemp("prometheus")
    with serving(ROOT, folder, engine="embedded") as address:
        told = json.loads((folder / "ready.json").read_text())
        with relatent.Client(address) as client:
            (image,) = client.sample([3])
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                listen = f"127.0.0.1:{free.getsockname()[1]}"
            targets = {"relatent": told["metrics"], "relatent-triton": told["triton_metrics"]}
            _configure(folder, targets)
            flags = ["--config.file", folder / "prometheus.yaml", "--storage.tsdb.path", folder / "data"]
            flags += ["--web.listen-address", listen]
            with (folder / "prometheus.log").open("wb") as log:
                process = subprocess.Popen([program, *map(str, flags)], stdout=log, stderr=log)
            try:
                running = Prometheus(listen)
                assert running.wait_for('up{job="relatent"} == 1'), (folder / "prometheus.log").read_text()
                # What is counted for the first time begins a series; only the second time has a rate.
                for _ in range(2):
                    client.invert(image.image, steps=20)
                    before = running.ask("timestamp(relatent_inversions_total)")
                    seen = before[0]["value"][1] if before else "0"
                    assert running.wait_for(f"timestamp(relatent_inversions_total) > {seen} + 1")
                yield running
            finally:
                process.terminate()
                process.wait(30)


def _configure(folder: Path, targets: dict[str, str]) -> None:
    """The project's settings, but for the pods, which are given by hand, and for haste."""
    (settings,) = documents(MONITORING / "prometheus.yaml")
    settings["global"] = {
        "scrape_interval": "500ms",
        "scrape_timeout": "500ms",
        "evaluation_interval": "500ms",
    }
    settings["scrape_configs"] = [job for job in settings["scrape_configs"] if job["job_name"] in targets]
    for job in settings["scrape_configs"]:
        for key in ("kubernetes_sd_configs", "relabel_configs"):
            del job[key]
        labels = {"namespace": "here", "pod": "one"}
        job["static_configs"] = [{"targets": [targets[job["job_name"]]], "labels": labels}]
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    shutil.copy(MONITORING / "rules.yaml", folder)


@pytest.mark.parametrize("line", LINES)
def test_every_line_of_the_dashboard_has_something_to_show(prometheus: Prometheus, line: str) -> None:
    expression = line.replace("$__rate_interval", SHORT).replace("$namespace", ".*")
    if any(name in line for name in NOT_THERE):
        assert prometheus.ask(expression) == []
    else:
        assert prometheus.wait_for(expression)


@pytest.mark.parametrize("name", sorted({rule["record"] for rule in rules() if "record" in rule}))
def test_every_recorded_series_is_there(prometheus: Prometheus, name: str) -> None:
    # Nothing was turned away.
    if name == "relatent:refused:ratio_rate5m":
        assert prometheus.ask(name) == []
    else:
        assert prometheus.wait_for(name)


def test_no_alert_fires_beside_a_service_that_is_well(prometheus: Prometheus) -> None:
    assert prometheus.wait_for("relatent:errors:ratio_rate5m")
    assert prometheus.ask('ALERTS{alertstate="firing"}') == []
