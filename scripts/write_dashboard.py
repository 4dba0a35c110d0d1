"""Write the Grafana dashboard from scripts/dashboard_panels.py: `python -m scripts.write_dashboard`.

With `--check` nothing is written, and a dashboard that would change fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from scripts.dashboard_panels import ROWS, Panel
from scripts.figures import ROOT

DASHBOARD = ROOT / "deploy" / "monitoring" / "grafana" / "dashboards" / "relatent.json"
SOURCE = {"type": "prometheus", "uid": "prometheus"}
WIDTH, HEIGHT, ACROSS = 8, 8, 24
"""Of a panel, and of the page, in Grafana's grid units."""


def dashboard() -> dict[str, Any]:
    """The dashboard as Grafana takes it."""
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in ROWS.items():
        at = {"x": 0, "y": top, "w": ACROSS, "h": 1}
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": at,
                "panels": [],
            }
        )
        top += 1
        for index, panel in enumerate(row):
            down, right = divmod(index, ACROSS // WIDTH)
            at = {"x": right * WIDTH, "y": top + down * HEIGHT, "w": WIDTH, "h": HEIGHT}
            panels.append({"id": len(panels) + 1, **_panel(panel), "gridPos": at})
        top += HEIGHT * -(-len(row) // (ACROSS // WIDTH))
    return {
        "uid": "relatent",
        "title": "Relatent",
        "tags": ["relatent"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [_namespaces()]},
        "panels": panels,
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.about,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "datasource": SOURCE, "expr": query, "legendFormat": legend}
            for index, (legend, query) in enumerate(panel.lines.items())
        ],
    }


def _namespaces() -> dict[str, Any]:
    return {
        "name": "namespace",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(relatent_backlog_seconds, namespace)",
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def main() -> int:
    """Write or check the dashboard."""
    parser = argparse.ArgumentParser(description="Write the Grafana dashboard.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it would change")
    text = json.dumps(dashboard(), indent=1) + "\n"
    if not parser.parse_args().check:
        DASHBOARD.write_text(text)
        return 0
    current = DASHBOARD.is_file() and DASHBOARD.read_text() == text
    if not current:
        print(f"{_shown(DASHBOARD)} is not current: run python -m scripts.write_dashboard", file=sys.stderr)
    return 0 if current else 1


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
