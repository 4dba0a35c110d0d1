"""All that the result of an inversion is a function of, as digests: where they are equal, results are.

What only says when to give up (a time budget, a deadline) or what else to send (previews, the format of
answers) is no part of them, nor is the least score that an image must have, which is held against results
that are found.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.fit import Fit
from relatent.core.graphs import DIGEST
from relatent.core.methods import StartRule, method_table
from relatent_service.engine.engine import Graph
from relatent_service.images.codec import Encoded
from relatent_service.inversion.job import Job, Plan
from relatent_service.inversion.refinement import SavedState
from relatent_service.traffic.forecast import Work

VERSION = 1
"""Of results: one higher whenever the service comes to others for the same request."""


class GraphsUnknown(Exception):
    """A graph does not say which it is, so results of another one could not be told from its own."""


@dataclass(frozen=True)
class Came:
    """A picture as it came, not decoded: what says before that whether it is known.

    Attributes:
        image: its bytes, and how to read them.
        mask: the same of where it counts; None for everywhere.
        fit: what is done where it is not square.
    """

    image: Encoded
    mask: Encoded | None
    fit: Fit

    def digest(self, resolution: int) -> bytes:
        """Of all that its pixels at a resolution depend on. Blocking: it may have megabytes."""
        hashed = hashlib.sha256(f"{self.fit} {resolution}".encode())
        for each in (self.image, self.mask):
            if each is not None:
                hashed.update(f"\n{each.format} {each.width} {each.height} {len(each.data)} ".encode())
                hashed.update(each.data)
        return hashed.digest()


def plan_digest(plan: Plan, graphs: Mapping[str, Graph]) -> bytes:
    """Of how to invert, the graphs that do it included.

    Args:
        plan: how.
        graphs: the engine's, by name.

    Raises:
        GraphsUnknown: one of them has no digest, as it was exported by an earlier version.
    """
    pack, rules, start = plan.pack, plan.rules, plan.start
    said = {
        "version": VERSION,
        "pack": [pack.name, pack.revision, pack.resolution, pack.z_width, *pack.metrics],
        "domain": None if plan.domain is None else asdict(plan.domain),
        "graphs": _digests(plan, graphs),
        "method": [plan.method.name, method_table(plan.method)],
        "start": str(start) if isinstance(start, StartRule) else type(start).__name__,
        "restarts": plan.restarts,
        "learning_rate": plan.learning_rate,
        "weights": dict(plan.weights),
        "steps": rules.steps,
        "target_loss": rules.target_loss,
        "plateau": None if rules.plateau is None else asdict(rules.plateau),
    }
    hashed = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    _add(hashed, "mean", pack.mean)
    match start:
        case SavedState():
            _add(hashed, "losses", start.losses)
            for name, array in sorted(start.state.items()):
                _add(hashed, f"state.{name}", array)
        case np.ndarray():
            _add(hashed, "start", start)
    for index, text in enumerate(plan.text or ()):
        _add(hashed, f"ids.{index}", text.ids)
        _add(hashed, f"mask.{index}", text.mask)
    return hashed.digest()


def pixel_digest(job: Job) -> bytes:
    """Of what is really inverted: the pixels, decoded and fitted, and where they count. Blocking."""
    hashed = hashlib.sha256()
    _add(hashed, "image", job.image)
    for name, array in sorted(job.inputs.items()):
        _add(hashed, name, array)
    return hashed.digest()


def joined(*digests: bytes) -> str:
    """One key of several digests."""
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _digests(plan: Plan, graphs: Mapping[str, Graph]) -> dict[str, str]:
    """Which each graph is that the inversion runs, by name; what is made of its result does not count."""
    alone = replace(plan, preview_every=0, images_after=0, work_after=Work({}))
    found = {}
    for name in alone.work.runs:
        digest = graphs[name].parameters.get(DIGEST) if name in graphs else None
        if digest is None:
            raise GraphsUnknown(f"graph {name} does not say which it is; export its pack again")
        found[name] = digest
    return found


def _add(hashed: Any, name: str, array: NDArray[Any]) -> None:
    hashed.update(f"\n{name} {array.dtype.str} {array.shape} ".encode())
    hashed.update(np.ascontiguousarray(array).data)
