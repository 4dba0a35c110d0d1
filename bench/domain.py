"""How well the in-domain score tells held-out drawings from other images.

AUC is the probability that another image's score is lower than a drawing's: 1 where every drawing is above
every one of them. The others: noise, photographs (scikit-image's, in crops), drawings upside down, drawings
cut into patches of eight pixels and shuffled, drawings in inverted colours, and drawings with factors beyond
the range that the generator was trained on. `refused_at` is the share of each set below a score; of drawings
it should be about that score itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bench.drawings import HeldOut
from bench.graphs import Graphs
from bench.measurement import BenchSettings
from bench.timing import significant, spread
from relatent.core.domain import cycle
from relatent.core.pack import read_pack
from relatent_export.demo.portraits import draw_portraits

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]

REFUSED_AT = (0.05, 0.01, 0.001)
_PATCH, _SEED = 8, 61
_BEYOND = 1.8
"""Of factors, whose range ends at 1."""
_PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
_CROPS = 4
"""Of each photograph, a side."""


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `auc` by set, `cycle` and `refused_at` by set and score, and `images` of the drawings.
    """
    count = 8 if settings.quick else 256
    graphs = Graphs(read_pack(settings.packs / settings.pack), settings.repository)
    domain = graphs.pack.domain
    if domain is None:
        raise ValueError(f"pack {graphs.pack.name!r} does not know its domain")
    drawings = HeldOut.first(count)
    cycles = {name: _cycles(graphs, images) for name, images in _sets(drawings).items()}
    scores = {name: np.array([domain.score(each) for each in found]) for name, found in cycles.items()}
    inside = cycles.pop("drawings")
    return {
        "auc": {name: significant(auc(inside, found)) for name, found in cycles.items()},
        "cycle": {name: spread(found).as_json() for name, found in {"drawings": inside, **cycles}.items()},
        "refused_at": {
            f"{least:g}": {name: significant(float((each < least).mean())) for name, each in scores.items()}
            for least in REFUSED_AT
        },
        "images": count,
    }


def auc(inside: Floats, outside: Floats) -> float:
    """The probability that one of `outside` is larger than one of `inside`; half for equal ones."""
    larger = (outside[None] > inside[:, None]).mean()
    return float(larger + (outside[None] == inside[:, None]).mean() / 2)


def _cycles(graphs: Graphs, images: Bytes) -> Floats:
    found = []
    for at in range(0, len(images), 16):
        codes = graphs.encode(images[at : at + 16])
        again = graphs.encode(graphs.synthesize(codes))
        found += [cycle(one, other) for one, other in zip(codes, again, strict=True)]
    return np.array(found)


def _sets(drawings: HeldOut) -> dict[str, Bytes]:
    random, images = np.random.default_rng(_SEED), drawings.images
    return {
        "drawings": images,
        "noise": random.integers(0, 256, images.shape, dtype=np.uint8),
        "photographs": _photographs(images.shape[1]),
        "upside_down": images[:, ::-1].copy(),
        "shuffled_patches": np.stack([_shuffled(image, random) for image in images]),
        "inverted_colours": np.bitwise_not(images),
        "beyond_range": _beyond(drawings),
    }


def _shuffled(image: Bytes, random: np.random.Generator) -> Bytes:
    side = len(image) // _PATCH
    patches = image.reshape(side, _PATCH, side, _PATCH, 3).swapaxes(1, 2).reshape(-1, _PATCH, _PATCH, 3)
    patches = patches[random.permutation(len(patches))].reshape(side, side, _PATCH, _PATCH, 3)
    shuffled: Bytes = patches.swapaxes(1, 2).reshape(image.shape)
    return shuffled


def _beyond(drawings: HeldOut) -> Bytes:
    """Each drawing with one factor drawn beyond its range."""
    factors = torch.from_numpy(drawings.factors.copy())
    places = torch.arange(len(factors))
    factors[places, places % factors.shape[1]] = torch.where(places % 2 == 0, _BEYOND, -_BEYOND)
    drawn = torch.cat([draw_portraits(chunk, drawings.images.shape[1]) for chunk in torch.split(factors, 16)])
    return np.ascontiguousarray(drawn.permute(0, 2, 3, 1).numpy())


def _photographs(side: int) -> Bytes:
    """Squares of photographs, the whole and parts of it, brought to a size."""
    from skimage import data  # for this set alone

    found = []
    for name in _PHOTOGRAPHS:
        photograph = Image.fromarray(getattr(data, name)()).convert("RGB")
        shorter = min(photograph.size)
        for part in (1, 2, _CROPS):
            crop = shorter // part
            for left in range(0, photograph.width - crop + 1, crop):
                for top in range(0, photograph.height - crop + 1, crop):
                    square = photograph.crop((left, top, left + crop, top + crop))
                    found.append(np.asarray(square.resize((side, side), Image.Resampling.BOX)))
    return np.stack(found)
