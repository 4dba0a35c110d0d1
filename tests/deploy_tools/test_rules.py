"""Rules and expressions, by Prometheus' own tool; the dashboard, by Grafana's own types."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from scripts.dashboard_panels import ROWS
from scripts.write_dashboard import DASHBOARD
from tests.deploy.manifests import MONITORING, ROOT, documents
from tests.deploy_tools.conftest import Run

TESTS = tuple(path.name for path in sorted(MONITORING.glob("*_test.yaml")))


def test_rules_are_what_prometheus_takes(tool: Run) -> None:
    done = tool("promtool", "check", "rules", "--lint-fatal", MONITORING / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", TESTS)
def test_rules_do_what_they_are_for(tool: Run, name: str) -> None:
    done = tool("promtool", "test", "rules", MONITORING / name)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong", "found_by"),
    [
        ("> 14.4 * 0.005 and", "> 50 * 0.005 and", "RelatentErrorsFast"),
        ("INTERNAL|UNKNOWN|DATA_LOSS|UNAVAILABLE", "INTERNAL|INVALID_ARGUMENT", "relatent:errors:ratio_rate"),
        ("draining|not_ready|not_read", "not_read", "RelatentRefusing"),
        (" unless grpc_server_handled_total", " and grpc_server_handled_total", "RelatentInternal"),
    ],
)
def test_a_rule_that_does_something_else_would_be_found(
    tool: Run, tmp_path: Path, right: str, wrong: str, found_by: str
) -> None:
    rules = (MONITORING / "rules.yaml").read_text()
    assert right in rules
    (tmp_path / "rules.yaml").write_text(rules.replace(right, wrong))
    shutil.copy(MONITORING / "rules_test.yaml", tmp_path)
    done = tool("promtool", "test", "rules", tmp_path / "rules_test.yaml")
    assert done.returncode == 1
    assert found_by in done.stdout + done.stderr


def test_scrapes_are_what_prometheus_takes(tool: Run, tmp_path: Path) -> None:
    """With pods given by hand: Debian's Prometheus is built without the discovery of Kubernetes."""
    (settings,) = documents(MONITORING / "prometheus.yaml")
    for job in settings["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
        job["static_configs"] = [{"targets": ["127.0.0.1:8501"]}]
    (tmp_path / "prometheus.yaml").write_text(yaml.safe_dump(settings))
    shutil.copy(MONITORING / "rules.yaml", tmp_path)
    done = tool("promtool", "check", "config", tmp_path / "prometheus.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboards_expressions_are_what_prometheus_takes(tool: Run, tmp_path: Path) -> None:
    lines = [line for row in ROWS.values() for panel in row for line in panel.lines.values()]
    written = [
        {"record": f"panel:line_{index}", "expr": line.replace("$__rate_interval", "1m")}
        for index, line in enumerate(lines)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": written}]}))
    done = tool("promtool", "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(lines)} rules found" in done.stdout


def test_the_dashboard_is_what_grafana_takes(tool: Run, tmp_path: Path) -> None:
    done = tool("python", "-m", "scripts.deploy_checks", "dashboards", DASHBOARD)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    wrong = json.loads(DASHBOARD.read_text())
    wrong["panels"][1]["gridPosition"] = wrong["panels"][1].pop("gridPos")
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    done = tool("python", "-m", "scripts.deploy_checks", "dashboards", tmp_path / "wrong.json")
    assert done.returncode == 1
    assert "gridPosition: Grafana does not know it" in done.stdout


def test_the_recorded_target_is_what_the_simulation_recommends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "autoscale", "--out", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    recorded = json.loads((ROOT / "docs" / "bench.json").read_text())["autoscale"]
    simulated = json.loads((tmp_path / "autoscale.json").read_text())
    assert simulated["signals"] == recorded["signals"]
    assert simulated["target_seconds"] == recorded["target_seconds"]
