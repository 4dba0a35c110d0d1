"""What `relatent-export coordinates` is worth to a pack that was imported, against the bundled pack's own.

The demo's generator is written as rosinality's code would save it, and imported. A file of that family has no
encoder and no network to compare features with, and what `bench.coordinates` counts is refinement from the
encoder's codes to a perceptual distance; so the imported generator gets the demo's encoder and attribute
network beside it, and nothing else: both packs then minimise the same, from the same codes. The coordinates
and step sizes are the command's, which sees samples of the imported generator and no drawing; the bundled
pack's were measured on drawings. Then both are counted as `bench.coordinates` counts, on its drawings.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import coordinates
from bench.commands import run_command
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.rosinality import save_checkpoint
from bench.timing import significant
from relatent.core.pack import read_pack
from relatent_export.demo.commands import FIRST_RATES
from relatent_export.demo.world import demo_parts
from relatent_export.families.importing import Stated, import_pack
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.packs.weights import COORDINATES, load_networks

MINUTES, RANK, PROBES = 10, 512, 65_536
"""The command's budget and options: more probes than there is time for."""
QUICK_RANK, QUICK_PROBES = 8, 256


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `kept_share`, the imported pack's gain over the bundled one's; `seconds` of the whole command and its
        `peak_gib`; `file_mib` and `graph_mib`; what the command was asked for; both gains, `imported` and
        `bundled`, as `bench.coordinates` has them.
    """
    pack, networks = read_pack(settings.packs / settings.pack), load_networks(settings.packs / settings.pack)
    graphs, parts = Graphs(pack, settings.repository), demo_parts(networks)
    rank, probes = (QUICK_RANK, QUICK_PROBES) if settings.quick else (RANK, PROBES)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        save_checkpoint(parts.generator, folder / "checkpoint.pt")
        imported = import_pack([folder / "checkpoint.pt"], folder, "imported", Stated())
        whole = replace(networks, generator=load_networks(imported).generator, coordinates=None)
        info = PackFacts("whole", "", "", "", FIRST_RATES)
        write_pack(folder / "whole", info, whole, [])
        options = ["--rank", rank, "--probes", probes, "--budget", MINUTES]
        command = [sys.executable, "-m", "relatent_export.cli", "coordinates", folder / "whole", *options]
        taken = run_command(command)
        given, found = load_networks(folder / "whole"), read_pack(folder / "whole")
        rates = found.default_method.rates
        method = replace(pack.default_method, rates=rates)
        own = Graphs(replace(pack, methods={method.name: method}), settings.repository)
        own = coordinates.stepping(own, given, given.bases, folder / "own")
        plain = coordinates.stepping(graphs, networks, {}, folder / "plain")
        bundled = coordinates.count(graphs, plain, quick=settings.quick)
        rate = bundled["learning_rate"]["plain"]  # the same refinement for both, and the same step size
        gains = {
            "imported": coordinates.count(own, plain, quick=settings.quick, rate=rate),
            "bundled": bundled,
        }
        file, graph = folder / "whole" / COORDINATES, own.path("refine")
        sizes = {"file_mib": file.stat().st_size / 2**20, "graph_mib": graph.stat().st_size / 2**20}
    return {
        "kept_share": significant(gains["imported"]["step_gain"] / gains["bundled"]["step_gain"]),
        **taken,
        **{name: significant(size) for name, size in sizes.items()},
        "rank": rank,
        "budget_minutes": MINUTES,
        "rates": {str(start): rate for start, rate in rates.items()},
        **gains,
    }
