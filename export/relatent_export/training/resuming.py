"""Runs that go on where they were interrupted, and come to the same as if they had not been."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from torch import Tensor

from relatent_export.progress import progress
from relatent_export.training.checkpoint import load_state, save_state

KEPT_EVERY = 25
"""Steps between two checkpoints."""


class Resumable(Protocol):
    """A run in progress."""

    def step(self, progress: float) -> None:
        """Take a step, so far into the run: 0 to 1."""

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on."""

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what `state` gave."""


def kept_at(work: Path | None, *facts: object) -> Path | None:
    """Where a folder keeps the run that these facts determine."""
    if work is None:
        return None
    digest = hashlib.sha256("\n".join(map(repr, facts)).encode()).hexdigest()
    return work / f"{digest}.safetensors"


def train(run: Resumable, steps: int, label: str, path: Path | None) -> None:
    """Take a run to its end, with a bar, from the last step that is kept.

    Args:
        run: as it begins.
        steps: of the whole run.
        label: of the bar.
        path: of the checkpoint, written every few steps and at the end; None: none is kept.

    Raises:
        OSError: the checkpoint cannot be written; names it.
    """
    done = 0
    if path is not None and path.is_file():
        tensors, facts = load_state(path)
        run.restore(tensors)
        done = facts["steps"]
    left = range(done, steps)
    for step in progress(left, label, unit="step", initial=done, total=steps, leave=False):
        run.step(step / steps)
        if path is not None and ((step + 1) % KEPT_EVERY == 0 or step + 1 == steps):
            save_state(path, run.state(), {"steps": step + 1})
