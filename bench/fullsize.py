"""A published size, from the files on disk to an inverted image: `make bench-fullsize`.

Random weights in e4e's layout: StyleGAN2 of 1024 pixels, config F, the encoder of 267 million numbers, and
LPIPS over VGG16 at 256 pixels. Files are written, imported and exported by the commands that users type,
each a process of its own whose time and peak memory are measured. Then one refinement step of the graph
is compared with the same step in eager PyTorch, on the same weights, by turns; and the pack is served by
Triton and inverts an image.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.commands import run_command
from bench.graphs import Array, Graphs
from bench.measurement import BenchSettings
from bench.projectors import Problem, Projector
from bench.published import PublishedSynthesis
from bench.serving import served
from bench.step import largest_difference
from bench.timing import by_turns, ratios, significant, spread
from relatent import AsyncClient
from relatent.core.methods import StartRule
from relatent.core.pack import read_pack
from relatent_export.analysis.refining import ExportedRefinement
from relatent_export.nets.networks import Networks
from relatent_export.nets.resampling import area_downsample
from relatent_export.nets.stylegan2 import Generator
from relatent_export.packs.weights import load_networks
from relatent_service.engine.cores import available_cores

PACK = "fullsize"
ROUNDS, STEPS = 7, 2
"""Of timing, and refinement steps of a round."""
SERVED_STEPS = 10
PIXELS_256, PIXELS_128 = 256, 128


def placed(settings: BenchSettings, work: Path) -> BenchSettings:
    """The settings of a run that makes its own pack below a folder."""
    return replace(settings, packs=work / "packs", repository=work / "model_repository", pack=PACK)


def run(settings: BenchSettings) -> dict[str, Any]:
    """Make the pack and measure it.

    Returns:
        For each command `seconds` and `peak_gib`; `checkpoint_gib` and `import_peak_ratio`; the graphs' MiB;
        seconds for a synthesis, an encoder pass and a refinement step at batch 1; `speedup` over eager
        PyTorch on the networks' own synthesis and `published_speedup` over the published one; seconds
        of a served inversion.

    Raises:
        RuntimeError: a command failed, or the graph's losses are not those of the loops.
    """
    if settings.pack != PACK:
        raise ValueError(
            f"settings: expected those of `placed`, whose folder is emptied, got {settings.pack}"
        )
    work = settings.packs.parent
    shutil.rmtree(work, ignore_errors=True)
    report = _make(settings, work)
    torch.set_num_threads(available_cores())
    networks = load_networks(settings.packs / PACK, read_pack(settings.packs / PACK).compare_size)
    report |= _compare(settings, networks)
    report["served"] = asyncio.run(_serve(settings))
    return report


def _make(settings: BenchSettings, work: Path) -> dict[str, Any]:
    """The commands, one after the other."""
    files, quick = work / "files", ["--quick"] if settings.quick else []
    scripts = Path(sys.executable).parent
    written = run_command([sys.executable, "-m", "tests.fixtures.checkpoints.fullsize", files, *quick])
    names = [files / name for name in ("e4e.pt", "vgg16.pth", "lpips_vgg.pth")]
    side = PIXELS_128 if settings.quick else PIXELS_256
    options = ["--name", PACK, "--into", settings.packs, "--compare-side", side]
    imported = run_command([scripts / "relatent-export", "import", *names, *options])
    exported = run_command(
        [scripts / "relatent-export", "repository", settings.packs / PACK, "--into", settings.repository]
    )
    size = names[0].stat().st_size
    models = sorted(settings.repository.glob("*/1"))
    return {
        "checkpoint_gib": significant(size / 2**30),
        "write_checkpoint": written,
        "import": imported,
        "import_peak_ratio": significant(imported["peak_gib"] * 2**30 / size),
        "export": exported,
        "graph_mib": {model.parent.name: significant(_size(model) / 2**20) for model in models},
    }


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _compare(settings: BenchSettings, networks: Networks) -> dict[str, Any]:
    """Graphs and eager PyTorch at batch 1, by turns."""
    pack = read_pack(settings.packs / PACK)
    graphs, rate = Graphs(pack, settings.repository), pack.default_method.rates[StartRule.ENCODER]
    image = graphs.sample(1, seed=1)
    codes = graphs.encode(image)
    pixels = torch.from_numpy(image).permute(0, 3, 1, 2).float() / 127.5 - 1
    problem = Problem(
        target=area_downsample(pixels, networks.compare_size).contiguous(),
        start=torch.from_numpy(codes),
        learning_rate=rate,
        weights=pack.default_method.terms,
    )
    assert isinstance(networks.generator, Generator)
    assert networks.lpips is not None
    synthesis = networks.generator.synthesis
    loops = {
        "pytorch": Projector(synthesis, networks.lpips, wasteful=False),
        "pytorch_published": Projector(PublishedSynthesis(synthesis), networks.lpips, wasteful=False),
    }

    def graph() -> Array:
        refinement = ExportedRefinement(graphs, codes, image, rate)
        refinement.advance(STEPS)
        return refinement.losses

    difference = largest_difference(
        graph(), {name: loop.run(problem, STEPS).numpy() for name, loop in loops.items()}
    )
    taken = by_turns(
        {
            "step": graph,
            **{name: partial(loop.run, problem, STEPS) for name, loop in loops.items()},
            "synthesis": lambda: graphs.synthesize(codes),
            "encoder": lambda: graphs.encode(image),
        },
        1 if settings.quick else ROUNDS,
    )
    for name in ("step", *loops):
        taken[name] = [seconds / STEPS for seconds in taken[name]]
    speedups = {
        "speedup": spread(ratios(taken["pytorch"], taken["step"])),
        "published_speedup": spread(ratios(taken["pytorch_published"], taken["step"])),
    }
    return {
        **{name: significant(figures.median) for name, figures in speedups.items()},
        **{f"{name}_spread": figures.as_json() for name, figures in speedups.items()},
        "seconds_batch_1": {name: spread(times).as_json() for name, times in taken.items()},
        "largest_loss_difference": significant(difference),
        "resolution": pack.resolution,
        "compare_side": pack.compare_size,
        "parameters": {
            "generator": sum(tensor.numel() for tensor in networks.generator.parameters()),
            "encoder": 0
            if networks.encoder is None
            else sum(tensor.numel() for tensor in networks.encoder.parameters()),
        },
    }


async def _serve(settings: BenchSettings) -> dict[str, Any]:
    """Invert an image through client, service and engine."""
    pack = read_pack(settings.packs / PACK)
    image = Graphs(pack, settings.repository).sample(1, seed=2)[0]
    began = time.perf_counter()
    async with served(settings, max_inflight=1) as service:
        started = time.perf_counter() - began
        async with AsyncClient(service.address, timeout=600) as client:
            inversion = await client.invert(np.ascontiguousarray(image), steps=SERVED_STEPS)
    return {
        "engine": settings.engine,
        "start_seconds": significant(started),
        "invert_seconds": significant(inversion.timings.total),
        "steps": inversion.steps,
        "psnr": significant(inversion.quality.psnr),
        "loss_first_and_last": [significant(float(inversion.losses[i])) for i in (0, -1)],
    }
