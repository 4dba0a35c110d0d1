"""Probing a pack's objective: Jacobian products at codes where refinement starts, resumable and in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from relatent.core.methods import StartRule
from relatent_export.compile.low_rank import Sketch
from relatent_export.coordinates.samples import at_a_time, draw_samples, starts
from relatent_export.nets.networks import Networks
from relatent_export.objectives.reconstruction import reconstruction_objective
from relatent_export.progress import progress
from relatent_export.training.checkpoint import load_state, save_state

PROBES_OF_CODE = 4
"""Of each code: a synthesis there is worth several ways back."""

_KEPT_EVERY = 30.0
"""Seconds between two states that are kept."""

STATE = "coordinates.safetensors"
"""The file that a folder keeps a run in."""


class Probing:
    """Probes in progress; owns the sketch and the random state.

    Args:
        networks: the pack's.
        weights: of the objective's terms.
        sketch: takes the probes.
        seed: of codes and probes.
    """

    def __init__(self, networks: Networks, weights: Mapping[str, float], sketch: Sketch, seed: int) -> None:
        self.sketch, self._networks, self._weights = sketch, networks, weights
        self._objective = reconstruction_objective(networks)
        self._random = torch.Generator().manual_seed(seed)

    @property
    def probes_of_round(self) -> int:
        """How many probes come at once."""
        return at_a_time(self._networks) * PROBES_OF_CODE

    def step(self) -> None:
        """Probe at some codes more."""
        sampled = draw_samples(self._networks, at_a_time(self._networks), self._random)
        code = starts(self._networks, sampled, StartRule.ENCODER).requires_grad_(True)
        compared = self._residuals(code, sampled.images)
        for _ in range(PROBES_OF_CODE):
            directions = [torch.randn(each.shape, generator=self._random) for each in compared]
            (probe,) = torch.autograd.grad(list(compared), code, directions, retain_graph=True)
            self.sketch.add(probe.flatten(1))

    def _residuals(self, code: Tensor, images: Tensor) -> Sequence[Tensor]:
        mask = torch.full(images.shape[:3], 255, dtype=torch.uint8)
        with torch.no_grad():
            prepared = self._objective.prepare({"target": images, "mask": mask})
        weights = {
            f"weight.{name}": torch.full((len(code), 1), value) for name, value in self._weights.items()
        }
        return self._objective.residuals({"w": code}, {"anchor": code.detach()}, weights, prepared)

    def state(self) -> dict[str, Tensor]:
        """All that the next probes depend on."""
        return {**self.sketch.state(), "random": self._random.get_state()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""
        self.sketch.restore(tensors)
        self._random.set_state(tensors["random"])


@dataclass(frozen=True)
class KeptRun:
    """Where a run is kept, and what it is of.

    Attributes:
        folder: of runs; made where there is none.
        facts: that all its probes depend on, values that JSON has, by name.
    """

    folder: Path
    facts: Mapping[str, object]

    def load(self, run: Probing, probes: int) -> None:
        """Go on from what is kept, if anything is.

        Raises:
            ValueError: it is of another pack or other options, or has more probes than are asked for.
            OSError: it cannot be read; names the file.
        """
        path = self.folder / STATE
        if not path.is_file():
            return
        tensors, facts = load_state(path)
        for name, value in self.facts.items():
            if facts.get(name) != value:
                kept = facts.get(name)
                raise ValueError(f"--work: expected a run of {name} {value}, got one of {kept} in {path}")
        run.restore(tensors)
        if run.sketch.probes > probes:
            there = run.sketch.probes
            raise ValueError(f"--probes: expected {there} or more, as are in {path}, got {probes}")

    def save(self, run: Probing) -> None:
        """Keep all so far.

        Raises:
            OSError: it cannot be written; names the file.
        """
        save_state(self.folder / STATE, run.state(), self.facts)


def probe(
    run: Probing,
    probes: int,
    enough: Callable[[float], bool],
    kept: KeptRun | None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Probe until there are so many, with a bar, from those that are kept.

    Args:
        run: as it begins.
        probes: how many; a round more than that is begun by none.
        enough: told the seconds that one probe takes, whether to end before; asked after every round.
        kept: where the run is kept, every half minute and at its end; None: nowhere.
        clock: in seconds.

    Raises:
        ValueError: what is kept is another run.
        OSError: it cannot be kept; names the file.
    """
    if kept is not None:
        kept.load(run, probes)
        kept.save(run)  # or hours would be measured before a folder turned out to be read-only
    began = saved = clock()
    first = run.sketch.probes
    with progress(desc="measuring curvature", total=probes, initial=first, unit="probe", leave=False) as bar:
        while run.sketch.probes < probes:
            run.step()
            bar.update(run.probes_of_round)
            now = clock()
            if kept is not None and now - saved > _KEPT_EVERY:
                kept.save(run)
                saved = now
            if enough((now - began) / (run.sketch.probes - first)):
                break
    if kept is not None:
        kept.save(run)
