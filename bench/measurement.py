"""A measurement: which there are, what they are run on, and their reports in out/bench."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.facts import environment
from bench.timing import seconds
from relatent.core.graphs import graph_name
from relatent.core.pack import file_digest

NAMES = ("step", "overhead", "batching", "start", "coordinates", "invariance")
"""The measurements; each is a module with a `run`."""
FULLSIZE = "fullsize"
"""It makes a pack of a published size, which takes long and much memory."""
OVERLOAD = "overload"
"""It has its own comparison in its own run."""
OVERLOAD_CLASSES = "overload_classes"
"""The same with two classes, quotas and edits, a quarter of an hour."""
QUALITY = "quality"
"""It takes a quarter of an hour."""
METHODS, DOMAIN = "methods", "domain"
"""What methods make of drawings, which takes twenty minutes; how well the in-domain score tells drawings."""
EDITING, DIRECTIONS = "editing", "directions"
"""Exact edits, a quarter of an hour; directions by every finder, a few minutes."""
WALKS = "walks"
"""Walks, linear and not, which are trained first: it takes some minutes."""
TEXTS = "texts"
"""Edits by texts; a mapper is trained for each."""
USES = "uses"
"""What inversion is for, restorations among it; coordinates are measured for an imported pack."""
AUTOSCALE = "autoscale"
"""A simulation, from what others measured."""
SOAK = "soak"
"""Faults for as long as is asked, twenty minutes unless told."""
ROLES = {TEXTS: ("synthesize_style", "text", "refine_text"), USES: ("refine_restore",)}
"""The roles of the graphs that belong to one measurement; all others belong to `METHODS`."""
ALONE = (
    *(
        FULLSIZE,
        OVERLOAD,
        OVERLOAD_CLASSES,
        QUALITY,
        METHODS,
        DOMAIN,
        EDITING,
        DIRECTIONS,
        WALKS,
        TEXTS,
        USES,
    ),
    *(AUTOSCALE, SOAK),
)
"""More, recorded each by itself."""


@dataclass(frozen=True)
class BenchSettings:
    """What every measurement needs to know.

    Attributes:
        packs: folder of packs.
        repository: Triton model repository with the pack's graphs.
        pack: name of the pack to measure with.
        engine: the service's engine, `embedded` (Triton) or `local`, where a service is measured; of `soak`
            also `triton`, two that belong to no service.
        quick: fewer rounds and shorter runs: shows that a measurement works, says nothing of speed.
        minutes: how long `soak` lasts.
    """

    packs: Path = Path("packs")
    repository: Path = Path("model_repository")
    pack: str = "demo"
    engine: str = "embedded"
    quick: bool = False
    minutes: float = 20.0


def measure(name: str, settings: BenchSettings, folder: Path) -> dict[str, Any]:
    """Run a measurement and write `NAME.json`.

    Returns:
        The measurement's own figures, and `bench` (its name), `pack`, `refine_sha256` (of the graph it was
        measured with; of `methods`, `texts` and `uses` of those that are theirs, `graphs_sha256`), `quick`,
        `seconds` it took and `environment`.
    """
    report: dict[str, Any] = {"bench": name, "pack": settings.pack, "quick": settings.quick}
    facts = environment()
    run: Callable[[BenchSettings], dict[str, Any]] = import_module(f"bench.{name}").run
    taken = seconds(lambda: report.update(run(settings)))
    refine = settings.repository / f"{settings.pack}_refine" / "1" / "model.onnx"
    report |= {"seconds": round(taken, 1), "environment": facts, "refine_sha256": file_digest(refine)}
    if name in (METHODS, *ROLES):
        owners = {graph_name(settings.pack, role): owner for owner, roles in ROLES.items() for role in roles}
        graphs = sorted(settings.repository.glob(f"{settings.pack}_*/1/model.onnx"))
        report["graphs_sha256"] = {
            path.parents[1].name: file_digest(path)
            for path in graphs
            if owners.get(path.parents[1].name, METHODS) == name
        }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n")
    return report
