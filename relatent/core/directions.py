"""Edit directions as packs hold them: a unit normal for each layer, and how far one unit of strength goes.

With w_l layer l of a code, n_l and b a direction's normal there and its bias, and length_l its length there,
a strength s means one of two things, and published code does both:

    relative    w_l + s * length_l * n_l
    absolute    w_l + (s * length_l - (<w_l, n_l> + b)) * n_l

Relative goes so far from wherever the code is: InterFaceGAN's convention for codes of W+ (Shen et al.,
"Interpreting the Latent Space of GANs for Semantic Face Editing", 2020) and GANSpace's own (Härkönen et
al., "GANSpace: Discovering Interpretable GAN Controls", 2020). Absolute arrives at a signed distance from
the boundary <w_l, n_l> + b = 0: InterFaceGAN's convention for codes of Z and of W, and that of the GANSpace
edits in the e4e family. A layer whose length is 0 stays as it is in either.

In Z there is one normal for all. In W one normal stands for all layers, and W+ has one for each. Those of P
are as those of W: both strengths move p_l, as `relatent.core.p_space` has it, in place of w_l. In S, of
styles, there is one for the change of all of them; as a code of W+ has no such change it has no distance
either, and strengths are relative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relatent.core.spaces import OF_DIRECTIONS, Space


@dataclass(frozen=True)
class Direction:
    """An edit direction of a pack.

    Attributes:
        name: unique in the pack.
        vector: float32 [L, D], [1, Z] in Z or [1, S] in S; each layer's of unit norm or zero.
        bias: b of the boundary <w, n> + b = 0, for absolute strengths; 0 where not known.
        attribute: the attribute it moves; empty where not known.
        first_layer, last_layer: layers it moves unless told otherwise, both included; 0 and 0 in Z and S.
        calibration: attribute units per unit of strength; 0 where not measured.
        min_strength, max_strength: the range that makes sense, measured or as published.
        lengths: how far one unit of strength moves each layer, finite and at least 0; 1 each if left out.
        space: where it lives.
        licence: of the direction itself; empty where not known.
        source: where it comes from; empty where not known.
        method: what found it, of `relatent-export directions fit`; empty where that is not known.
        seed: of the samples that it was found with; None where there were none, or they were not drawn.
        samples: how many it was found with; None where there were none.
        leak: mean change of all other attributes, in percent of their ranges, where it takes its own a
            quarter of its range; None where not measured.
        learned: whether a network moves codes, the graph in the role `move_NAME`, and no vector, which is
            zero then; strengths are relative.

    Raises:
        ValueError: the lengths are not one such number a layer.
    """

    name: str
    vector: NDArray[np.float32]
    bias: float
    attribute: str
    first_layer: int
    last_layer: int
    calibration: float
    min_strength: float
    max_strength: float
    lengths: tuple[float, ...] = ()
    space: Space = Space.W_PLUS
    licence: str = ""
    source: str = ""
    method: str = ""
    seed: int | None = None
    samples: int | None = None
    leak: float | None = None
    learned: bool = False

    def __post_init__(self) -> None:
        layers = len(self.vector)
        if not self.lengths:
            object.__setattr__(self, "lengths", (1.0,) * layers)
        if len(self.lengths) != layers:
            raise ValueError(
                f"direction {self.name!r}: lengths: expected {layers} numbers, got {len(self.lengths)}"
            )
        for layer, length in enumerate(self.lengths):
            if not 0 <= length <= np.finfo(np.float32).max:
                raise ValueError(
                    f"direction {self.name!r}: lengths[{layer}]: expected a finite number of at least 0, "
                    f"got {length:g}"
                )


def read_direction(entry: Mapping[str, Any], vector: NDArray[np.float32]) -> Direction:
    """Read a direction off its entry in a manifest.

    Args:
        entry: fields of `Direction` by name; from `lengths` on they may be left out.
        vector: its normals.

    Raises:
        ValueError: the space is unknown, or the lengths are not one finite number of at least 0 a layer.
        TypeError: a field is missing or nothing is known of it.
    """
    fields = dict(entry)
    if "lengths" in fields:
        fields["lengths"] = _lengths(fields["lengths"], entry["name"], len(vector))
    fields["space"] = direction_space(entry)
    return Direction(vector=vector, **fields)


def direction_entry(direction: Direction) -> dict[str, Any]:
    """A direction's entry in a manifest: everything but its normals and what was left out."""
    entry: dict[str, Any] = {
        "name": direction.name,
        "bias": direction.bias,
        "attribute": direction.attribute,
        "first_layer": direction.first_layer,
        "last_layer": direction.last_layer,
        "calibration": direction.calibration,
        "min_strength": direction.min_strength,
        "max_strength": direction.max_strength,
        "space": str(direction.space),
    }
    if set(direction.lengths) != {1.0}:
        entry["lengths"] = list(direction.lengths)
    texts = {"licence": direction.licence, "source": direction.source, "method": direction.method}
    numbers = {"seed": direction.seed, "samples": direction.samples, "leak": direction.leak}
    told = {name: text for name, text in texts.items() if text}
    kind = {"learned": True} if direction.learned else {}
    return entry | told | kind | {name: number for name, number in numbers.items() if number is not None}


def direction_space(entry: Mapping[str, Any]) -> Space:
    """The space of a direction by its entry in a manifest, W+ if it names none.

    Raises:
        ValueError: it names something else.
    """
    space = entry.get("space", Space.W_PLUS)
    if space not in OF_DIRECTIONS:
        known = ", ".join(OF_DIRECTIONS)
        raise ValueError(f"direction {entry['name']!r}: space: expected one of {known}, got {space!r}")
    return Space(space)


def _lengths(values: Any, name: str, layers: int) -> tuple[float, ...]:
    numbers = isinstance(values, list) and all(type(value) in (int, float) for value in values)
    if not numbers or len(values) != layers:
        raise ValueError(f"direction {name!r}: lengths: expected {layers} numbers, got {values!r}")
    return tuple(float(value) for value in values)
