"""Check custom resources and dashboards, by the environment of `scripts.deploy_tools`.

`python -m scripts.deploy_checks resources FILE...` holds each custom resource of YAML files against its
schema; `dashboards FILE...` has Grafana's own types read each dashboard, and compares what they make of it.
Prints a line for each mistake, and fails if there is one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from scripts.deploy_tools import SCHEMAS


def main() -> int:
    """Check files."""
    parser = argparse.ArgumentParser(prog="python -m scripts.deploy_checks", description="Check manifests.")
    parser.add_argument("what", choices=("resources", "dashboards"))
    parser.add_argument("files", nargs="+", type=Path)
    arguments = parser.parse_args()
    check = resource_mistakes if arguments.what == "resources" else dashboard_mistakes
    mistakes = [f"{file}: {mistake}" for file in arguments.files for mistake in check(file)]
    for mistake in mistakes:
        print(mistake)
    return 1 if mistakes else 0


def resource_mistakes(file: Path) -> Iterator[str]:
    """What is wrong with the custom resources of a file; others are left to kubernetes-validate."""
    for resource in filter(None, yaml.safe_load_all(file.read_text())):
        schema = SCHEMAS / f"{resource['kind']}.json"
        if schema.is_file():
            validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
            for error in validator.iter_errors(resource):
                yield f"{resource['kind']} {resource['metadata']['name']}: {error.json_path}: {error.message}"


def dashboard_mistakes(file: Path) -> Iterator[str]:
    """What of a dashboard Grafana does not know."""
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()
    written = json.loads(file.read_text())
    known = json.loads(JSONEncoder().encode(Dashboard.from_json(written)))
    yield from _lost(written, known, "$")


def _lost(written: Any, known: Any, path: str) -> Iterator[str]:
    if isinstance(written, dict) and isinstance(known, dict):
        for name, value in written.items():
            if name in known:
                yield from _lost(value, known[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}: Grafana does not know it"
    elif isinstance(written, list) and isinstance(known, list) and len(written) == len(known):
        for index, (one, other) in enumerate(zip(written, known, strict=True)):
            yield from _lost(one, other, f"{path}[{index}]")
    elif written != known:
        yield f"{path}: Grafana makes {known!r} of {written!r}"


if __name__ == "__main__":
    sys.exit(main())
