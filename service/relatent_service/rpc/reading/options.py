"""What a caller wishes of an inversion, checked, as a job for `relatent_service.inversion.inverter`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relatent.core.pack import Pack
from relatent.v1 import inversion_pb2, types_pb2
from relatent_service.catalog import Catalog, shown
from relatent_service.errors import InvalidField
from relatent_service.images.codec import Encoded, Format
from relatent_service.images.framing import Fit
from relatent_service.inversion.job import Job, Start
from relatent_service.inversion.refinement import Checkpoint
from relatent_service.inversion.stopping import Plateau, StopRules
from relatent_service.rpc.messages import read_checkpoint, read_image, read_latent, read_output_format
from relatent_service.settings import Settings

Floats = NDArray[np.float32]

_FITS: dict[int, Fit] = {
    types_pb2.FIT_UNSPECIFIED: Fit.CROP,
    types_pb2.FIT_CROP: Fit.CROP,
    types_pb2.FIT_PAD: Fit.PAD,
    types_pb2.FIT_REFUSE: Fit.REFUSE,
}


@dataclass(frozen=True)
class Wish:
    """An inversion asked for; `relatent_service.rpc.reading.images` decodes its images.

    Attributes:
        job: complete but for image and mask.
        mask: None for everywhere.
        output_format: of the reconstruction and of previews.
    """

    job: Job
    image: Encoded
    mask: Encoded | None
    fit: Fit
    output_format: Format


def read_wish(
    catalog: Catalog,
    settings: Settings,
    image: types_pb2.Image,
    options: inversion_pb2.InversionOptions,
    path: str = "",
) -> Wish:
    """Check all of a request for an inversion but its pixels.

    Args:
        catalog: where packs are looked up.
        settings: whose limits hold.
        image: what to invert.
        options: how.
        path: what stands before `image` and `options` in the request, such as `image.`.

    Raises:
        ServiceError: a field is not what it must be, or names something that is not there.
    """
    field = f"{path}options"
    pack = catalog.pack(options.pack, f"{field}.pack")
    if options.fit not in _FITS:
        raise InvalidField(f"{field}.fit", f"expected CROP (1), PAD (2) or REFUSE (3), got {options.fit}")
    refinement, place = options.refinement, f"{field}.refinement"
    start = _read_start(pack, options, settings.max_steps, field)
    job = Job(
        pack=pack,
        image=np.empty(0, np.uint8),
        mask=np.empty(0, np.uint8),
        start=start,
        rules=_read_rules(pack, refinement, settings.max_steps, place),
        learning_rate=_read_learning_rate(pack, refinement, start, place),
        weights=_read_weights(pack, refinement.weights, place),
        field=field,
    )
    return Wish(
        job=job,
        image=read_image(image, f"{path}image"),
        mask=read_image(refinement.mask, f"{place}.mask") if refinement.HasField("mask") else None,
        fit=_FITS[options.fit],
        output_format=read_output_format(options.output_format, f"{field}.output_format"),
    )


def _read_start(
    pack: Pack, options: inversion_pb2.InversionOptions, max_steps: int, field: str
) -> Start | Floats | Checkpoint:
    match options.WhichOneof("start"):
        case "mean":
            return Start.MEAN
        case "latent":
            return read_latent(pack, options.latent, f"{field}.latent")
        case "checkpoint":
            return read_checkpoint(pack, options.checkpoint, max_steps, f"{field}.checkpoint")
        case "encoder" if not pack.encoder:
            raise InvalidField(
                f"{field}.encoder", f"pack {pack.name!r} has no encoder; start from its mean or from a latent"
            )
        case _:
            return Start.ENCODER if pack.encoder else Start.MEAN


def _read_rules(pack: Pack, refinement: inversion_pb2.Refinement, max_steps: int, field: str) -> StopRules:
    steps = min(pack.refinement.default_steps, max_steps)
    if refinement.HasField("steps"):
        steps = refinement.steps
    if steps > max_steps:
        raise InvalidField(
            f"{field}.steps", f"expected 0 to {max_steps}, got {steps}", reason="TOO_MANY_STEPS"
        )
    target = refinement.target_loss if refinement.HasField("target_loss") else None
    if target is not None and not math.isfinite(target):
        raise InvalidField(f"{field}.target_loss", f"expected a finite number, got {target:g}")
    return StopRules(
        steps=steps,
        target_loss=target,
        plateau=_read_plateau(refinement.plateau, field) if refinement.HasField("plateau") else None,
        time_budget=_read_budget(refinement, field) if refinement.HasField("time_budget") else None,
        best_at_deadline=refinement.best_at_deadline,
    )


def _read_plateau(plateau: inversion_pb2.Plateau, field: str) -> Plateau:
    if plateau.steps < 1:
        raise InvalidField(f"{field}.plateau.steps", "expected at least 1, got 0")
    if not 0 < plateau.min_improvement < 1:
        raise InvalidField(
            f"{field}.plateau.min_improvement",
            f"expected a fraction between 0 and 1, got {plateau.min_improvement:g}",
        )
    return Plateau(plateau.steps, plateau.min_improvement)


def _read_budget(refinement: inversion_pb2.Refinement, field: str) -> float:
    budget = refinement.time_budget
    if budget.seconds < 0 or not 0 <= budget.nanos < 10**9 or (budget.seconds, budget.nanos) == (0, 0):
        raise InvalidField(
            f"{field}.time_budget",
            f"expected a duration above 0, got {budget.seconds} seconds and {budget.nanos} nanos",
        )
    return budget.seconds + budget.nanos / 1e9


def _read_learning_rate(
    pack: Pack, refinement: inversion_pb2.Refinement, start: Start | Floats | Checkpoint, field: str
) -> float:
    if refinement.HasField("learning_rate"):
        rate = refinement.learning_rate
        if not (math.isfinite(rate) and rate > 0):
            raise InvalidField(f"{field}.learning_rate", f"expected a finite number above 0, got {rate:g}")
        return rate
    if isinstance(start, Checkpoint) and start.learning_rate:
        return start.learning_rate
    return pack.refinement.learning_rate["mean" if start is Start.MEAN else "encoder"]


def _read_weights(pack: Pack, wanted: Mapping[str, float], field: str) -> dict[str, float]:
    weights = dict(pack.refinement.weights)
    for name, weight in wanted.items():
        path = f"{field}.weights[{shown(name)}]"
        if name not in weights:
            raise InvalidField(path, f"expected a term of the objective: {', '.join(sorted(weights))}")
        if not (math.isfinite(weight) and weight >= 0):
            raise InvalidField(path, f"expected a finite number of at least 0, got {weight:g}")
        weights[name] = weight
    if not any(weights.values()):
        raise InvalidField(f"{field}.weights", "expected at least one above 0; all are 0")
    return weights
