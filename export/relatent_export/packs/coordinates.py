"""Giving a pack coordinates to refine in: measured on samples, with the step sizes that go with them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import save

from relatent.core.pack import Pack, read_pack
from relatent.core.spaces import Space
from relatent_export.compile.low_rank import Sketch, low_rank_coordinates
from relatent_export.coordinates.probing import KeptRun, Probing, probe
from relatent_export.coordinates.rates import choose_rates, passes, unit_for
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.packs.pack import method_tables
from relatent_export.packs.sealing import reseal
from relatent_export.packs.weights import COORDINATES, GENERATOR, coordinate_tensors, load_networks

RANK, PROBES, SEED = 512, 8_192, 0
"""Unless told otherwise; of a code of fewer numbers, as high a rank as it has."""

_PROBES_OF_STEP = 1.5
"""Probes that take as long as a step of refinement, which goes there for each way back."""


@dataclass(frozen=True)
class CoordinatesWanted:
    """What is asked of a measurement.

    Attributes:
        rank: eigenvectors; `RANK`, or as many as a code has numbers if those are fewer, if None.
        probes: Jacobian products.
        seed: of samples and probes.
        budget: minutes that all of it may take, so that measuring ends in time for the rest; None: any.
        work: folder that keeps the run, for one that goes on after another.
    """

    rank: int | None = None
    probes: int = PROBES
    seed: int = SEED
    budget: float | None = None
    work: Path | None = None


@dataclass(frozen=True)
class CoordinatesSet:
    """What a pack was given.

    Attributes:
        rank: eigenvectors, of so many as were asked for.
        probes: that they were measured by.
        within: share of the mean curvature that lies within them.
        rates: step sizes from the encoder's code, `encoder`, and from the mean, `mean`.
    """

    rank: int
    probes: int
    within: float
    rates: dict[str, float]


def set_coordinates(
    folder: Path, wanted: CoordinatesWanted, clock: Callable[[], float] = time.monotonic
) -> CoordinatesSet:
    """Measure the coordinates of a pack's reconstruction, choose step sizes, and put both into it.

    Those of an earlier measurement are replaced, and what was measured of its methods is forgotten.

    Args:
        folder: the pack's. Its graphs are to be exported anew.
        wanted: how.
        clock: in seconds.

    Raises:
        PackError: it is no pack that can be read.
        ValueError: an option is out of range, the budget is too short to choose step sizes in, or the run
            that is kept is another; names the option.
        OSError: a file cannot be read or written; names it.
    """
    began = clock()
    pack = read_pack(folder)
    rank = _checked(wanted, pack.layers * pack.width)
    if not (folder / GENERATOR).is_file():
        raise ValueError(f"{folder}: expected a pack with its weights, {GENERATOR} is missing")
    networks = load_networks(folder, pack.compare_size)
    weights = _weights(pack, networks)
    sketch = Sketch(pack.layers * pack.width, rank)
    reserved = passes(networks) * _PROBES_OF_STEP

    def enough(seconds_of_probe: float) -> bool:
        if wanted.budget is None:
            return False
        choosing = reserved * seconds_of_probe
        if choosing >= wanted.budget * 60:
            raise ValueError(
                f"--budget: expected more than the {choosing / 60:.2g} minutes that choosing step sizes "
                f"takes here, got {wanted.budget:g}"
            )
        return wanted.budget * 60 - (clock() - began) < choosing

    kept = None
    if wanted.work is not None:
        facts = {"pack": networks.revision, "rank": rank, "seed": wanted.seed, "terms": weights}
        kept = KeptRun(wanted.work, {**facts, "compare_side": pack.compare_size, "encoder": pack.encoder})
    probe(Probing(networks, weights, sketch, wanted.seed), wanted.probes, enough, kept, clock)
    found = low_rank_coordinates(sketch, rank)
    rates = choose_rates(networks, weights, found, wanted.seed)
    found = replace(found, unit=unit_for(rates["encoder"]))
    networks = replace(networks, coordinates=found)
    spaces = [Space.STYLE] if Space.STYLE in pack.spaces else []
    tables = method_tables(networks, tuple(pack.methods), rates, weights, spaces)
    files = {COORDINATES: save(coordinate_tensors(found))}
    reseal(folder, "coordinates", files, {"methods": tables["methods"]})
    return CoordinatesSet(found.basis.shape[1], sketch.probes, sketch.within(rank), rates)


def _checked(wanted: CoordinatesWanted, numbers: int) -> int:
    """The rank that is asked for, of a code of so many numbers."""
    rank = min(RANK, numbers) if wanted.rank is None else wanted.rank
    if not 1 <= rank <= numbers:
        raise ValueError(f"--rank: expected 1 to the {numbers} numbers of a code, got {rank}")
    if wanted.probes < rank:
        raise ValueError(f"--probes: expected {rank} or more, which is the rank, got {wanted.probes}")
    if not 0 <= wanted.seed < 2**32:
        raise ValueError(f"--seed: expected 0 to {2**32 - 1}, got {wanted.seed}")
    if wanted.budget is not None and not 0 < wanted.budget < float("inf"):
        raise ValueError(f"--budget: expected minutes, above 0, got {wanted.budget:g}")
    return rank


def _weights(pack: Pack, networks: Networks) -> dict[str, float]:
    """What the pack's default method weighs the terms of reconstruction with."""
    own, told = reconstruction_objective(networks).weights, pack.default_method.terms
    return {name: told.get(name, weight) for name, weight in own.items()}
