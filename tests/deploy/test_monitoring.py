"""Rules and dashboard name metrics that are there, and lead to a page that says what to do."""

import json
import re
from datetime import UTC, datetime

import pytest

from relatent_service.telemetry.metrics import Metrics
from scripts import write_dashboard
from scripts.dashboard_panels import ROWS, Panel
from tests.deploy.manifests import MONITORING, ROOT, documents, names_in, rules

# As the wheel's Triton 2.51 tells them; nv_gpu_utilization only where there is a GPU.
OF_TRITON = {
    "nv_inference_count",
    "nv_inference_exec_count",
    "nv_inference_queue_duration_us",
    "nv_inference_compute_infer_duration_us",
    "nv_gpu_utilization",
}
# As redis_exporter 1.45, Debian's, tells them.
OF_REDIS = {
    "redis_memory_used_bytes",
    "redis_memory_max_bytes",
    "redis_evicted_keys_total",
    "redis_expired_keys_total",
}
RECORDED = {rule["record"] for rule in rules() if "record" in rule}
ALERTS = {rule["alert"]: rule for rule in rules() if "alert" in rule}
PANELS = [panel for row in ROWS.values() for panel in row]


def told() -> set[str]:
    """Names of the samples that the service tells, those of labels that never were included."""
    names: set[str] = set()
    metrics = Metrics()
    metrics.watch_certificate(lambda: datetime.now(UTC))
    for family in metrics.registry.collect():
        kinds = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "gauge": [""]}
        names |= {family.name + ending for ending in kinds[family.type]}
    return names


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert", rule.get("record")))
def test_every_metric_of_a_rule_is_told_or_recorded(rule) -> None:
    named = names_in(rule["expr"])
    assert named
    assert named - told() - OF_TRITON - RECORDED - {"up"} == set()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
def test_every_metric_of_the_dashboard_is_told_or_recorded(panel: Panel) -> None:
    named = set().union(*map(names_in, panel.lines.values()))
    assert named
    assert named - told() - OF_TRITON - OF_REDIS - RECORDED - {"up"} == set()


def test_a_metric_that_is_not_there_would_be_found() -> None:
    assert names_in("rate(relatent_backlog_second[5m])") - told() == {"relatent_backlog_second"}
    assert "relatent_backlog_seconds" in told()


def test_every_metric_of_the_service_is_on_the_dashboard_or_in_a_rule() -> None:
    written = {name for panel in PANELS for line in panel.lines.values() for name in names_in(line)}
    written |= {name for rule in rules() for name in names_in(rule["expr"])}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told()}
    shown = {re.sub(r"_(bucket|sum|count)$", "", name) for name in written}
    # The mean squared error goes with the PSNR.
    assert families - shown == {"relatent_reconstruction_mse"}


def test_the_dashboard_is_current() -> None:
    assert json.loads(write_dashboard.DASHBOARD.read_text()) == write_dashboard.dashboard()


def test_panels_do_not_overlap_and_have_names_of_their_own() -> None:
    panels = write_dashboard.dashboard()["panels"]
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel.title for panel in PANELS}) == len(PANELS)


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_leads_to_lines_that_say_what_to_do(alert: str) -> None:
    page, _, anchor = ALERTS[alert]["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^### (\w+)$", (ROOT / page).read_text(), re.MULTILINE)
    assert anchor == alert.lower()
    assert alert in headings
    assert ALERTS[alert]["labels"]["severity"] in ("page", "ticket")


def test_the_page_has_no_lines_for_alerts_that_are_not_there() -> None:
    page = (ROOT / "docs" / "when-it-breaks.md").read_text()
    headings = re.findall(r"^### (Relatent\w+)$", page, re.MULTILINE)
    assert set(headings) == set(ALERTS)


def test_rules_are_tried_in_an_order_in_which_what_is_recorded_is_fresh() -> None:
    (written,) = documents(MONITORING / "rules.yaml")
    groups = [group["name"] for group in written["groups"]]
    tests = [document for path in MONITORING.glob("*_test.yaml") for document in documents(path)]
    assert [test["group_eval_order"] for test in tests] == [groups] * len(tests)


def test_every_alert_is_tried() -> None:
    tried = {
        asked["alertname"]
        for path in MONITORING.glob("*_test.yaml")
        for document in documents(path)
        for case in document["tests"]
        for asked in case.get("alert_rule_test", [])
        if asked["exp_alerts"]
    }
    assert tried == set(ALERTS)
