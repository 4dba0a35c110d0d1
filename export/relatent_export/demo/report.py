"""The demo pack's report: every figure measured here and now, and pages to look at."""

from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

from relatent.core.pack import file_digest, read_pack
from relatent_export.analysis.refining import ExportedPack, ExportedRefinement
from relatent_export.demo.inversion_report import LearningRates, choose_learning_rates, measure_inversion
from relatent_export.demo.pictures import save_samples, save_sheet
from relatent_export.demo.world import Drawings, demo_parts, draw
from relatent_export.demo.world_report import measure_networks
from relatent_export.nets.networks import Networks
from relatent_export.packs.weights import load_networks
from relatent_export.writing import whole_file

REPORT = "report.json"
_SHOWN = 8


def write_report(pack: Path, repository: Path) -> dict[str, Any]:
    """Measure the demo pack and write `report.json`, `README.md` and the pictures into it.

    Args:
        pack: the pack's folder.
        repository: the model repository exported from it.

    Returns:
        What `report.json` holds.
    """
    started = time.monotonic()
    networks, exported = load_networks(pack), ExportedPack(read_pack(pack), repository)
    report: dict[str, Any] = {
        "revision": exported.pack.revision,
        "refine_sha256": file_digest(exported.path("refine")),
        **measure_networks(networks),
    }
    rates = choose_learning_rates(exported)
    report |= measure_inversion(exported, rates)
    training = _training(pack)
    report["trained_images"] = int(training["images"])
    report["training_seconds"] = training["seconds"]
    report["seconds"] = time.monotonic() - started
    with whole_file(pack / REPORT) as partial:
        partial.write_text(json.dumps(_rounded(report), indent=2) + "\n")
    _write_pictures(pack, networks, exported, rates)
    with whole_file(pack / "README.md") as partial:
        partial.write_text(_readme(_rounded(report), exported))
    return report


def _training(pack: Path) -> dict[str, float]:
    table: dict[str, float] = tomllib.loads((pack / "pack.toml").read_text())["training"]
    return table


def _write_pictures(pack: Path, networks: Networks, exported: ExportedPack, rates: LearningRates) -> None:
    save_samples(demo_parts(networks).generator, 4 * _SHOWN, seed=33, path=pack / "samples.png")
    images, _ = draw(Drawings.HELD_OUT, _SHOWN)
    targets = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    codes = exported.encode(targets)
    refinement = ExportedRefinement(exported, codes, targets, rates.encoder)
    refinement.advance(100)
    rows = [list(targets), list(exported.synthesize(codes)), list(exported.synthesize(refinement.codes))]
    save_sheet(rows, pack / "inversions.png")


def _rounded(value: Any) -> Any:
    """Six significant digits everywhere: what a reader can use."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return float(f"{value:.6g}") if isinstance(value, float) else value


def _readme(report: dict[str, Any], exported: ExportedPack) -> str:
    resolution, directions = exported.pack.resolution, len(exported.pack.directions)
    r2, ratios = report["attribute_r2"], report["std_ratio"]
    spread = report["w_deviation"]
    good_r2 = sum(value >= 0.95 for value in r2.values())
    good_spread = sum(0.8 <= value <= 1.2 for value in ratios.values())
    factors = "\n".join(f"| {name} | {r2[name]:.3f} | {ratios[name]:.2f} |" for name in r2)
    points = "\n".join(
        f"| {label} | {report['mse'][key]:.5f} | {report['perceptual'][key]:.4f} "
        f"| {report['moved'][key]:.2f} |"
        for key, label in (
            ("encoder", "encoder only"),
            ("hybrid_100", "encoder, then 100 steps"),
            ("mean_100", "mean latent, 100 steps"),
            ("mean_1000", "mean latent, 1,000 steps"),
        )
    )
    ratio = f"{report['step_ratio']:.1f}"
    if report["censored"]:
        ratio = f"more than {ratio} (not reached in 1,000 steps)"
    rates = report["learning_rate"]
    return f"""# The demo pack

A StyleGAN2 of {resolution} x {resolution} pixels, trained adversarially on procedural portraits
({report["trained_images"]:,} images), with an encoder, an attribute network, an image-text pair
and {directions} directions. Everything here is made by `relatent-export demo train`, `fit`, `forced-encoder`,
`judge`, `text`, `export` and `report`; the figures are those of `report.json`.

![random samples, not truncated](samples.png)

Held-out drawings (top), the encoder's code (middle), after 100 steps of refinement (bottom):

![inversions](inversions.png)

## Inversion, 64 held-out drawings

| | MSE | perceptual distance | moved |
|---|---|---|---|
{points}

*Moved*: root mean square distance of the codes from their start; random codes lie {spread:.2f} from
their mean. How edits come out, against drawings redrawn, is in docs/editing.md.

Optimising from the mean latent takes **{ratio}** times the steps to reach the perceptual distance
that the encoder's start has after 30. Both minimise the same and step in the same coordinates, which
were measured at the encoder's codes. Step sizes, each chosen on other drawings: {rates["encoder"]} from
the encoder, {rates["mean"]} from the mean.

## Factors, 2,000 held-out drawings and 2,000 samples

R² of the attribute network is at least 0.95 for {good_r2} of the {len(r2)} factors. The samples' spread
lies within 0.8 to 1.2 of the drawings' for {good_spread} of {len(r2)}. Fréchet distance in the attribute
network's features: {report["fid"]:.2f}, against {report["fid_reference"]:.2f} between two independent sets of
drawings.

| factor | R² | spread of samples over spread of drawings |
|---|---|---|
{factors}
"""
