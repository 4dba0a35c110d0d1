"""What a generator misses: the factor that was left out of one's training set, and nothing else.

The demo's generator, trained on without glasses (`relatent-export demo without-glasses`), and as a control
the demo's own, are compared with held-out drawings of the whole world as `relatent-export analyze misses`
does it: from files, by the pack's attribute network, and by the judge.

Networks can be taken in: a generator that trains against one learns what such networks look at, and may draw
glasses that none of them sees. So a third reading takes no network's word for glasses: each image is redrawn
by what the judge reads of all else, without glasses and with, and the strength between the two that comes
nearest to the image, by least squares, is that of its glasses.

Beside them stands what a generator would come to that makes exactly the drawings without glasses: other
drawings, redrawn with the glasses off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.drawings import HeldOut
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent.core.pack import Pack, read_pack
from relatent_export.analysis.comparing import Comparison, ImageReading, attribute_reading, compare
from relatent_export.analysis.editing import Reader
from relatent_export.analysis.misses import ComparedAttribute, Misses, find_misses
from relatent_export.analysis.misses_plot import save_plot
from relatent_export.demo.factors import FACTORS
from relatent_export.demo.glassless import LEFT_OUT, load_glassless
from relatent_export.demo.judge import judge_beside
from relatent_export.demo.pictures import save_picture
from relatent_export.demo.portraits import draw_portraits
from relatent_export.demo.world import Drawings, draw
from relatent_export.nets.networks import Networks
from relatent_export.packs.weights import load_networks

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

GENERATOR = Path(__file__).parent / "without_glasses.safetensors"

_IMAGES, _QUICK = 512, 64
_GLASSES = FACTORS.index(LEFT_OUT)


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `missed`, the names of what the generator without glasses misses as the pack's attribute network reads
        it, and `judge_missed`, as the judge does; `control_missed` and `control_judge_missed`, of the demo's
        own generator; both with `truth_`, where glasses are all that is read, by redrawing; `redrawn_missed`,
        of drawings with the glasses off. Under the same beginnings, with `factors` in place of `missed`, the
        figures of each factor. There are `images` and `samples` of each. `truth_error` is the mean absolute
        error of the reading by redrawing, of drawings, as a share of the range.
    """
    pack, networks = _demo(settings)
    judge = _judge(settings, pack)
    glasses = next(each for each in pack.attributes if each.name == LEFT_OUT)
    truth = ImageReading((glasses,), lambda images: redrawn_glasses(judge.read, images))
    readers = {"": attribute_reading(pack, networks), "judge_": judge, "truth_": truth}
    generators = {"": load_glassless(GENERATOR), "control_": networks.generator}
    count = _QUICK if settings.quick else _IMAGES
    held_out = HeldOut.first(count)
    drawings = held_out.images
    found: dict[str, Misses] = {}
    with TemporaryDirectory() as folder:
        for place, image in enumerate(drawings):
            save_picture(image, Path(folder) / f"{place:04d}.png")
        asked = Comparison(Path(folder), samples=count if settings.quick else None)
        for whose, generator in generators.items():
            for by, reading in readers.items():
                found[whose + by] = compare(pack, replace(networks, generator=generator), asked, reading)
    found["redrawn_"] = _redrawn(readers[""], drawings, found[""].generated)
    off = np.abs(truth.read(drawings)[:, 0] - held_out.factors[:, _GLASSES]).mean() / 2
    report: dict[str, Any] = {"images": count, "samples": found[""].generated}
    report["truth_error"] = significant(float(off))
    for name, misses in found.items():
        report[f"{name}missed"] = list(misses.missed)
        report[f"{name}factors"] = {each.name: _figures(each) for each in misses.attributes}
    return report


def redrawn_glasses(judge: Reader, images: Bytes) -> Floats:
    """How strong images' glasses are, [B, 1], as the factor is, -1 for none and 1 for the strongest.

    Args:
        judge: reads all other factors, in the order of `FACTORS`.
        images: uint8 [B, R, R, 3].
    """
    factors = torch.from_numpy(judge(images)).clamp(-1, 1)
    drawn = []
    for strength in (-1, 1):
        factors[:, _GLASSES] = strength
        drawn.append(draw_portraits(factors, images.shape[1]).double().permute(0, 2, 3, 1))
    without, added = drawn[0], drawn[1] - drawn[0]
    # Every layer is painted over what is there in proportion to the strength, and they hardly overlap.
    shares = ((torch.from_numpy(images).double() - without) * added).sum((1, 2, 3)) / added.square().sum(
        (1, 2, 3)
    )
    strengths: Floats = (2 * shares - 1).float()[:, None].numpy()
    return strengths


def draw_plot(settings: BenchSettings, path: Path) -> None:
    """Draw what the generator without glasses misses of held-out drawings, by the pack's attribute network.

    Raises:
        OSError: it cannot be written; names the file.
    """
    pack, networks = _demo(settings)
    count = _QUICK if settings.quick else _IMAGES
    with TemporaryDirectory() as folder:
        for place, image in enumerate(HeldOut.first(count).images):
            save_picture(image, Path(folder) / f"{place:04d}.png")
        made_by = replace(networks, generator=load_glassless(GENERATOR))
        save_plot(compare(pack, made_by, Comparison(Path(folder))), path)


def _demo(settings: BenchSettings) -> tuple[Pack, Networks]:
    folder = settings.packs / settings.pack
    pack = read_pack(folder)
    return pack, load_networks(folder, pack.compare_size)


def _judge(settings: BenchSettings, pack: Pack) -> ImageReading:
    folder = settings.packs / settings.pack
    judge = judge_beside(folder)
    if judge is None:
        raise ValueError(f"{folder}: expected a judge beside the pack: relatent-export demo judge")
    return ImageReading(pack.attributes, judge)


def _redrawn(reading: ImageReading, drawings: Bytes, count: int) -> Misses:
    """What a generator would come to that makes just what the one without glasses was shown."""
    images, _ = draw(Drawings.REFERENCE_A, count, without=LEFT_OUT)
    bare = np.ascontiguousarray(images.permute(0, 2, 3, 1).numpy())
    names = [each.name for each in reading.attributes]
    return find_misses(names, reading.values(drawings), reading.values(bare))


def _figures(each: ComparedAttribute) -> dict[str, float | bool]:
    return {
        "left_out": significant(each.left_out),
        "left_out_error": significant(each.left_out_error),
        "distance": significant(each.distance),
        "chance": significant(each.chance),
        "significant": each.significant,
        "mean": significant(each.generated.mean),
        "real_mean": significant(each.real.mean),
        "deviation": significant(each.generated.deviation),
        "real_deviation": significant(each.real.deviation),
    }
