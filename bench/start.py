"""How many steps an encoder's start is worth, as the demo pack's report measures it.

The goal is the quality that the hybrid (the encoder's code, then 30 steps) reaches: its mean
perceptual distance over held-out drawings. Optimising from the mean latent goes on until it is as
good, at most 1,000 steps. Each side uses its own learning rate from the pack's manifest, chosen
there by a sweep on other drawings, and each side's result is its best code so far.
"""

from __future__ import annotations

from typing import Any

from bench.graphs import Graphs, targets
from bench.measurement import BenchSettings
from bench.timing import significant
from relatent.core.methods import StartRule
from relatent.core.pack import read_pack
from relatent_export.demo.inversion_report import COMPARED_STEPS, HELD_OUT, MOST_STEPS, step_ratio
from relatent_export.demo.starts import RefinedSet


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `step_ratio`, with `censored` true where the mean's side did not get there in 1,000 steps
        and the ratio is therefore a lower bound; the two curves' figures.
    """
    images, most = (4, 60) if settings.quick else (HELD_OUT, MOST_STEPS)
    pack = read_pack(settings.packs / settings.pack)
    graphs, rates = Graphs(pack, settings.repository), pack.default_method.rates
    drawings = targets(graphs, images)
    hybrid = RefinedSet(graphs, graphs.encode(drawings), drawings, rates[StartRule.ENCODER])
    encoder_only = hybrid.quality().perceptual
    hybrid.advance(COMPARED_STEPS)
    goal = hybrid.quality().perceptual
    mean = RefinedSet(graphs, graphs.mean_codes(images), drawings, rates[StartRule.MEAN])
    ratio = step_ratio(mean.advance_until(goal, most), most)
    return {
        **ratio,
        "step_ratio": significant(ratio["step_ratio"]),
        "hybrid_steps": COMPARED_STEPS,
        "perceptual": {
            "encoder": significant(encoder_only),
            f"hybrid_{COMPARED_STEPS}": significant(goal),
            f"mean_{mean.steps}": significant(mean.quality().perceptual),
        },
        "learning_rate": {start: rates[start] for start in (StartRule.ENCODER, StartRule.MEAN)},
        "images": images,
    }
