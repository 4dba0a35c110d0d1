"""The steps that make the demo pack, each resumable or repeatable on its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from relatent.core.manifest import MANIFEST, read_manifest
from relatent.core.pack import file_digest
from relatent_export.demo.attributes import described
from relatent_export.demo.encoder_report import frechet_floor, measure_encoders
from relatent_export.demo.factors import FACTORS
from relatent_export.demo.fit import fit_basis, fit_directions
from relatent_export.demo.glassless import save_glassless, train_glassless
from relatent_export.demo.judge import measure_judge, save_judge
from relatent_export.demo.pictures import save_picture
from relatent_export.demo.report import REPORT, write_report
from relatent_export.demo.text_report import measure_text
from relatent_export.demo.train_attributes import train_attributes
from relatent_export.demo.train_encoder import train_encoder
from relatent_export.demo.train_forced_encoder import train_forced_encoder
from relatent_export.demo.train_gan import train_gan
from relatent_export.demo.train_judge import train_judge
from relatent_export.demo.train_text import train_text, write_image_text
from relatent_export.demo.world import Drawings, demo_parts, draw
from relatent_export.directions.controls import measure_controls
from relatent_export.nets.coordinates import Coordinates
from relatent_export.nets.networks import Networks
from relatent_export.objectives.methods import METHODS
from relatent_export.packs.controls import write_controls
from relatent_export.packs.directions import write_directions
from relatent_export.packs.methods import set_methods
from relatent_export.packs.pack import PackFacts, write_pack
from relatent_export.packs.text import set_text
from relatent_export.packs.weights import FORCED_ENCODER, load_networks, save_encoder
from relatent_export.text.image_text import read_image_text
from relatent_export.training.checkpoint import load_state
from relatent_export.triton.repository import write_repository
from relatent_export.writing import whole_file

FIRST_RATES = {"encoder": 0.0007, "mean": 0.003}
"""Step sizes until a report has found better ones."""

_CHECKPOINT = "gan.safetensors"
_DRAWINGS, _DRAWING_SIZE = 12, 256


def train(work: Path) -> Networks:
    """Train generator, attribute network and encoder, or go on where a run stopped."""
    encoder = train_encoder(work)
    return Networks(train_gan(work), encoder, train_attributes(work), FACTORS)


def fit(work: Path, pack: Path) -> None:
    """Fit directions and refinement's coordinates, and write the pack.

    The networks are those trained in `work`; where nothing was, the pack's own are kept.
    """
    if (work / _CHECKPOINT).exists() or not (pack / MANIFEST).exists():
        networks, training = train(work), _trained(work)
    else:
        networks, training = load_networks(pack), read_manifest(pack / MANIFEST)["training"]
    networks = replace(networks, coordinates=Coordinates(fit_basis(networks)))
    info = PackFacts(
        name="demo",
        description="Procedural portraits of sixteen known factors, 64 x 64.",
        licence="Apache-2.0",
        provenance="Trained by `relatent-export demo train` on drawings of its own making; no outside data.",
        learning_rate=FIRST_RATES,
        training=training,
    )
    measured = measure_controls(networks, described())
    write_pack(pack, info, networks, fit_directions(networks, measured), [*METHODS])
    write_controls(pack, measured)


def directions(pack: Path) -> None:
    """Measure the pack's controls and fit its directions anew; its networks stay as they are."""
    networks = load_networks(pack)
    measured = measure_controls(networks, described())
    write_controls(pack, measured)
    write_directions(pack, fit_directions(networks, measured))


def judge(work: Path, pack: Path) -> str:
    """Train the judge, or go on where a run stopped, and put it beside the pack; says how well it judges."""
    trained, seconds = train_judge(work)
    path = save_judge(trained, pack)
    found = measure_judge(trained)
    return (
        f"{path}: mean absolute error {found.mean_error:.2f} % of a factor's range, "
        f"R2 at least {min(found.r2.values()):.3f}, {seconds:.0f} s of training"
    )


def text(work: Path, pack: Path) -> str:
    """Train the image-text pair, or go on where a run stopped, and give it to the pack.

    Returns:
        How well it reads.
    """
    trained, seconds = train_text(work)
    write_image_text(trained, work / "text")
    pair = read_image_text(work / "text")
    set_text(pack, pair)
    set_methods(pack, [*METHODS])
    found = measure_text(pair)
    told = sorted(found.correlations.values())
    return (
        f"{pack}: scores of prompts correlate with their factors at {told[0]:.2f} to {told[-1]:.2f}, "
        f"{100 * found.retrieved:.0f} % of texts found their drawing among {found.candidates}, "
        f"{seconds:.0f} s of training"
    )


def forced_encoder(work: Path, pack: Path) -> str:
    """Train the pack's encoder on against random codes too, and put the result into the pack.

    Returns:
        What it did to the encoder: the distances of encoded codes from mapped ones, averaged over layers, and
        the reconstructions' errors.
    """
    networks = load_networks(pack)
    forced, seconds = train_forced_encoder(work, networks)
    path = pack / FORCED_ENCODER
    with whole_file(path) as partial:
        save_encoder(partial, forced)
    _seal(pack, FORCED_ENCODER)
    before, after = measure_encoders(replace(networks, forced_encoder=forced))
    return (
        f"{path}: Fréchet distance of codes {before.frechet.averaged:.3f} before, "
        f"{after.frechet.averaged:.3f} after (of all layers {before.frechet.flattened:.2f}, "
        f"{after.frechet.flattened:.2f}; among mapped codes {frechet_floor(networks).averaged:.3f}); "
        f"MSE {before.mse:.5f}, {after.mse:.5f}; {seconds:.0f} s of training"
    )


def without_glasses(work: Path, pack: Path, generator: Path) -> str:
    """Train the pack's generator on without glasses, or go on where a run stopped, and write the result.

    Returns:
        What was written, and how long it took.
    """
    trained, seconds = train_glassless(work, demo_parts(load_networks(pack)).generator)
    save_glassless(trained, generator)
    return f"{generator}: {generator.stat().st_size / 1e6:.1f} MB, {seconds:.0f} s of training"


def export(pack: Path, repository: Path) -> None:
    """Export the graphs, and draw the held-out portraits the demo shows."""
    write_repository(pack, repository)
    images, _ = draw(Drawings.HELD_OUT, _DRAWINGS, _DRAWING_SIZE)
    for index, image in enumerate(images.permute(0, 2, 3, 1).numpy()):
        save_picture(image, pack / "drawings" / f"portrait-{index:02d}.png")


def report(pack: Path, repository: Path) -> str:
    """Measure the pack, write the report, and put the step sizes it found into the manifest."""
    found = write_report(pack, repository)
    _set_rates(pack, found["learning_rate"])
    return f"{pack / REPORT}: step_ratio {found['step_ratio']:.1f}, fid {found['fid']:.2f}"


def _trained(work: Path) -> dict[str, int]:
    """What the generator's training says of itself."""
    _, facts = load_state(work / _CHECKPOINT)
    return {"images": facts["images"], "seconds": round(facts["seconds"])}


def _set_rates(pack: Path, rates: dict[str, float]) -> None:
    """For every method; given codes start as the encoder's do."""
    manifest = read_manifest(pack / MANIFEST)
    for method in manifest["methods"].values():
        starts = method["rates"]
        method["rates"] = {start: rates["mean" if start == "mean" else "encoder"] for start in starts}
    _write_manifest(pack, manifest)


def _seal(pack: Path, name: str) -> None:
    """Put a file's digest into the manifest."""
    manifest = read_manifest(pack / MANIFEST)
    manifest["files"][name] = file_digest(pack / name)
    _write_manifest(pack, manifest)


def _write_manifest(pack: Path, manifest: dict[str, Any]) -> None:
    with whole_file(pack / MANIFEST) as partial:
        partial.write_text(tomli_w.dumps(manifest))
