"""The manifests and rules of deploy/, as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
MONITORING = ROOT / "deploy" / "monitoring"
OVERLAYS = tuple(sorted(path.name for path in (KUBERNETES / "overlays").iterdir()))


def documents(path: Path) -> list[Any]:
    """What a YAML file holds."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def manifests() -> Iterator[tuple[Path, Any]]:
    """Every document of deploy/kubernetes, with its file."""
    for path in sorted(KUBERNETES.rglob("*.yaml")):
        for document in documents(path):
            yield path, document


def nodes(document: Any) -> Iterator[dict[str, Any]]:
    """Every mapping in a document, itself included."""
    if isinstance(document, dict):
        yield document
        for value in document.values():
            yield from nodes(value)
    elif isinstance(document, list):
        for value in document:
            yield from nodes(value)


def containers(document: Any) -> list[dict[str, Any]]:
    """Containers of a Deployment or StatefulSet, those that are init containers included."""
    pod = document["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def rules() -> list[dict[str, Any]]:
    """Every recording and alerting rule."""
    (document,) = documents(MONITORING / "rules.yaml")
    return [rule for group in document["groups"] for rule in group["rules"]]


def names_in(expression: str) -> set[str]:
    """Metrics that an expression names: of service, Triton, Redis and Prometheus, and recorded ones."""
    found = re.findall(
        r"\b(?:relatent|grpc_server|nv|redis)_[a-z0-9_]+|\brelatent:[a-z0-9_:]+|\bup\b", expression
    )
    return set(found)
