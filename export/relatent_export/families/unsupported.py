"""What is recognised only to be refused: it comes beside published families, and a pack cannot hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relatent_export.checkpoints.errors import UnsupportedFile
from relatent_export.families.family import Marks, Tensors


@dataclass(frozen=True)
class UnsupportedGenerator:
    """Generators that are known by their names, and why they cannot be imported."""

    marks: Marks
    reason: str


GENERATORS = (
    UnsupportedGenerator(
        marks=(
            ("synthesis.input.weight", "synthesis.input.weight"),
            ("synthesis.input.freqs", "synthesis.input.freqs"),
        ),
        reason="a StyleGAN3 generator. It filters and resamples at every layer, which this project's "
        "synthesis does not do; StyleGAN2 is supported",
    ),
    UnsupportedGenerator(
        marks=(("output0.weight", "layer0.weight"),),
        reason="a progressively grown GAN (PGGAN), which has no W space to invert to; bring a StyleGAN",
    ),
    UnsupportedGenerator(
        marks=(("mapping.dense0.weight", "mapping.dense0.weight"),),
        reason="expected a constant to start from, 'synthesis.early_layer.const' (genforce's StyleGAN2) or "
        "'synthesis.layer0.const' (its StyleGAN1), found neither",
    ),
)


def generator_refusal(tensors: Tensors, path: str) -> UnsupportedFile:
    """Why a generator that no family claims cannot be imported."""
    reasons = (
        each.reason
        for each in GENERATORS
        if any(name in tensors and other in tensors for name, other in each.marks)
    )
    return UnsupportedFile(f"{path}: {next(reasons, 'a generator of no family that we know')}")


def refuse_hypernetwork(tensors: Tensors, path: str) -> None:
    """Refuse HyperStyle's checkpoints.

    Raises:
        UnsupportedFile: it is one.
    """
    if any(".hypernet." in f".{name}" for name in tensors):
        raise UnsupportedFile(
            f"{path}: a HyperStyle checkpoint. It changes the generator's weights for every image, so that "
            "codes of two images belong to two generators; import the W encoder and the generator instead"
        )


def refuse_without_network(data: Mapping[str, Any], tensors: Tensors, path: str) -> None:
    """Refuse files without a network that are known all the same.

    Raises:
        UnsupportedFile: it is one.
    """
    if "eigvec" in data:
        raise UnsupportedFile(
            f"{path}: eigenvectors of rosinality's closed-form factorisation, from which a direction is yet "
            "to be chosen; save the column that is meant, eigvec[:, I][None], as a .pt of its own"
        )
    if "synthesis.constant" in tensors and "mapping.mean" in tensors:
        raise UnsupportedFile(
            f"{path}: the generator of a pack, which was imported already; export the pack's folder"
        )
    if tensors.keys() == {"latent"}:
        raise UnsupportedFile(f"{path}: a latent code, as `relatent invert` saves it, and not a direction")
