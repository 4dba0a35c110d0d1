"""What `relatent-export coordinates` takes of a published size: `python -m bench.coordinates_published`.

StyleGAN2 of 256 pixels with config F's widths, of random weights in rosinality's layout: what measuring costs
does not depend on what they are. How good the coordinates are, `bench.uses_coordinates` measures.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from bench.commands import run_command
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent_export.coordinates.probing import STATE
from relatent_export.packs.weights import COORDINATES
from relatent_export.training.checkpoint import load_state
from tests.fixtures.checkpoints.fullsize import FULL_CHANNELS, LATENT_WIDTH
from tests.fixtures.checkpoints.stylegan2 import rosinality_tensors

WORK = Path("out/coordinates-published")
LEVELS, MINUTES = 7, 30
QUICK_CHANNELS = (6,) * LEVELS


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure, in a folder that is emptied first.

    Returns:
        For the commands `import`, `coordinates` and `export`, `seconds` and `peak_gib`; the `probes` that
        the budget has time for, and the `rank` that they allow; `file_mib`, and `graph_mib` of refinement's
        graph.
    """
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    channels = QUICK_CHANNELS if settings.quick else FULL_CHANNELS[:LEVELS]
    tensors = rosinality_tensors(channels, 8 if settings.quick else LATENT_WIDTH, mapping=8)
    torch.save({"g_ema": tensors}, WORK / "stylegan2.pt")
    program = [sys.executable, "-m", "relatent_export.cli"]
    report: dict[str, Any] = {
        "import": run_command(
            [*program, "import", WORK / "stylegan2.pt", "--name", "published", "--into", WORK]
        )
    }
    options = ["--budget", MINUTES, "--work", WORK / "run"]
    report["coordinates"] = run_command([*program, "coordinates", WORK / "published", *options])
    report["export"] = run_command([*program, "repository", WORK / "published", "--into", WORK / "graphs"])
    file, graph = WORK / "published" / COORDINATES, WORK / "graphs" / "published_refine" / "1" / "model.onnx"
    probes = load_state(WORK / "run" / STATE)[0]["probes"]
    return {
        "budget_minutes": MINUTES,
        "probes": int(probes),
        "rank": load_file(file)["basis"].shape[1],
        **report,
        "file_mib": significant(file.stat().st_size / 2**20),
        "graph_mib": significant(graph.stat().st_size / 2**20),
    }


if __name__ == "__main__":
    print(json.dumps(run(BenchSettings(quick="--quick" in sys.argv[1:]))))
