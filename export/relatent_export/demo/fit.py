"""Fit what the demo's networks tell: a calibrated boundary for each factor, refinement's coordinates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import Tensor

from relatent.core.directions import Direction
from relatent.core.spaces import Space
from relatent_export.compile.preconditioning import coordinates, gauss_newton
from relatent_export.demo.world import Drawings, demo_parts, draw
from relatent_export.directions.boundary import fit_boundary
from relatent_export.directions.calibration import calibrated, needed_layers
from relatent_export.directions.controls import Measured
from relatent_export.directions.jacobian import jacobian_directions
from relatent_export.nets.networks import Networks
from relatent_export.nets.pixels import to_float
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.progress import progress

_SAMPLES = 20_000
_CALIBRATED_ON = 64
_CHUNK = 64
_CURVATURE_CODES, _CURVATURE_PROBES = 1_024, 20


def fit_directions(networks: Networks, measured: Measured, samples: int = _SAMPLES) -> list[Direction]:
    """Two calibrated directions for each attribute: by the mean Jacobian, and a boundary, NAME_boundary.

    Args:
        networks: the demo's.
        measured: its attributes and how they answer to codes.
        samples: to fit boundaries to, which the network labels.
    """
    boundaries, codes = _boundaries(networks, samples)
    directions = []
    for found in (jacobian_directions(measured.attributes, measured.controls), boundaries):
        for index, direction in enumerate(progress(found, "calibrating", unit="direction")):
            measure, width = partial(_measure_one, networks, index), measured.attributes[index].width
            with torch.no_grad():
                directions.append(calibrated(direction, codes, measure, width))
    return directions


def _boundaries(networks: Networks, samples: int) -> tuple[list[Direction], Tensor]:
    """A boundary for each attribute, and the codes [N, L, D] to calibrate on."""
    generator = demo_parts(networks).generator
    random = torch.Generator().manual_seed(21)
    z = torch.randn(samples, generator.config.latent_width, generator=random)
    with torch.no_grad():
        w = generator.mapping(z)
        labels = torch.cat(
            [measure_attributes(networks, generator.broadcast(chunk)) for chunk in _chunks(w, "labelling")]
        )
        codes = generator.broadcast(w[:_CALIBRATED_ON]).contiguous()
    boundaries = []
    for index, name in enumerate(progress(networks.attribute_names, "fitting", unit="direction")):
        boundary = fit_boundary(w, labels[:, index])
        with torch.no_grad():
            layers = needed_layers(codes, boundary.normal, partial(_measure_one, networks, index))
        boundaries.append(
            Direction(
                name=f"{name}_boundary",
                vector=generator.broadcast(boundary.normal[None])[0].contiguous().numpy(),
                bias=boundary.bias,
                attribute=name,
                first_layer=layers.start,
                last_layer=layers.stop - 1,
                calibration=0.0,
                min_strength=0.0,
                max_strength=0.0,
                space=Space.W,
                source="InterFaceGAN's linear boundary (Shen et al. 2020)",
            )
        )
    return boundaries, codes


def fit_basis(networks: Networks, codes: int = _CURVATURE_CODES, probes: int = _CURVATURE_PROBES) -> Tensor:
    """Measure the coordinates that refinement steps in, at the encoder's codes of training drawings.

    Returns:
        float32 [L·D, M].
    """
    objective, encoder = reconstruction_objective(networks), demo_parts(networks).encoder
    drawings, _ = draw(Drawings.TRAINING, codes, networks.generator.config.resolution)
    images = drawings.permute(0, 2, 3, 1)
    with torch.no_grad():
        starts = torch.cat([encoder(to_float(chunk)) for chunk in _chunks(images, "encoding")])

    def residuals(w: Tensor, target: Tensor) -> Sequence[Tensor]:
        batch, _, size, _ = target.shape
        mask = torch.full((batch, size, size), 255, dtype=torch.uint8)
        prepared = objective.prepare({"target": target, "mask": mask})
        weights = {
            f"weight.{name}": torch.full((batch, 1), value) for name, value in objective.weights.items()
        }
        return objective.residuals({"w": w}, {"anchor": w.detach()}, weights, prepared)

    random = torch.Generator().manual_seed(22)
    return coordinates(gauss_newton(residuals, starts, images, probes, random))


def measure_attributes(networks: Networks, codes: Tensor) -> Tensor:
    """Attributes [B, A] of the images of W+ codes [B, L, D]."""
    image = networks.generator.synthesis(codes).clamp(-1, 1)
    attributes: Tensor = demo_parts(networks).attributes(image)
    return attributes


def _measure_one(networks: Networks, index: int, codes: Tensor) -> Tensor:
    return measure_attributes(networks, codes)[:, index]


def _chunks(w: Tensor, what: str) -> Iterable[Tensor]:
    chunks: Iterable[Tensor] = progress(torch.split(w, _CHUNK), what, unit="batch", leave=False)
    return chunks
