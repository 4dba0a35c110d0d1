"""Figures as words that a person understands; the figures stand beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from relatent.client.catalog import AttributeInfo
from relatent.client.results import InDomain, Inversion, TargetOutcome
from relatent.core.quality import Quality
from relatent.core.targets import TOLERANCE, AttributePart, End

_CLOSENESS = (
    (45.0, "Hardly to be told from your picture"),
    (38.0, "Very close to your picture"),
    (32.0, "Close to your picture; small details differ"),
    (26.0, "Like your picture; details differ"),
    (20.0, "Only roughly like your picture"),
)
"""What people call a reconstruction of so many decibels of PSNR or more."""
_FAR_OFF = "Not much like your picture"

_PLAUSIBILITY = (
    (0.2, "a typical picture for this model"),
    (0.05, "a somewhat unusual picture for this model"),
    (0.01, "an unusual picture for this model; edits may look odd"),
)
"""What people call a picture of such an in-domain score or more."""
_STRANGE = "nothing like what this model knows; edits will look odd"

_MOST_SLIPPED = 3
"""Attributes that are named, of those that moved although they were held."""

_ENDS = {
    End.RANGE: "the range ends there",
    End.STALLED: "this picture goes no further",
    End.ROUNDS: "it would take more rounds",
    End.TIME_BUDGET: "the time was up",
    End.DEADLINE: "the time was up",
}


def closeness(quality: Quality) -> str:
    """How like its picture a reconstruction is, in words."""
    return next((words for least, words in _CLOSENESS if quality.psnr >= least), _FAR_OFF)


def figures(quality: Quality) -> str:
    """The figures behind `closeness`."""
    told = [f"PSNR {quality.psnr:.1f} dB"]
    if quality.perceptual is not None:
        told.append(f"perceptual distance {quality.perceptual:.4f}")
    if quality.identity is not None:
        told.append(f"identity {quality.identity:.2f}")
    return ", ".join(told)


def plausibility(in_domain: InDomain) -> str:
    """How well the model knows such pictures, in words."""
    return next((words for least, words in _PLAUSIBILITY if in_domain.score >= least), _STRANGE)


def inverted(inversion: Inversion, seconds: float) -> str:
    """What an inversion came to: its time, its way and its steps."""
    way = f" by {inversion.method}" if inversion.method else ""
    steps = f", {inversion.steps} steps" if inversion.steps else ", without refinement"
    return f"Inverted in {seconds:.1f} s{way}{steps}."


def value(number: float, unit: str) -> str:
    """An attribute's value with its unit, as people write it."""
    mark = {"deg": "°", "%": " %"}.get(unit, f" {unit}" if unit else "")
    digits = 0 if unit in ("years", "%") else 1 if unit == "deg" else 2
    return f"{number:.{digits}f}{mark}"


def reached(targets: Sequence[TargetOutcome], described: Mapping[str, AttributeInfo]) -> str:
    """What became of goals, and of what was held: a sentence each for those that were missed.

    Args:
        targets: of an edit.
        described: the pack's attributes, by name.
    """
    met, missed = [], []
    slipped: list[tuple[float, str]] = []
    for target in targets:
        why = _ENDS.get(target.end, "the rest would have moved too far")
        for name, outcome in target.attributes.items():
            attribute = described[name]
            now, asked = value(outcome.reached, attribute.unit), value(outcome.asked, attribute.unit)
            off = abs(outcome.reached - outcome.asked) / ((attribute.high - attribute.low) or 1.0)
            near = off <= 2 * TOLERANCE
            if outcome.part is AttributePart.HELD and not near:
                slipped.append((off, f"{attribute.label} moved from {asked} to {now}"))
            elif outcome.part is AttributePart.ASKED and (near or now == asked):
                met.append(f"{attribute.label} {now}")
            elif outcome.part is AttributePart.ASKED:
                missed.append(_begun(f"{attribute.label} reached {now} of {asked}: {why}."))
    told = [f"Reads {', '.join(met)}{'' if missed else ', as asked'}."] if met else []
    told += missed
    if slipped:
        most = [words for _, words in sorted(slipped, reverse=True)]
        others = f", and {len(most) - _MOST_SLIPPED} more" if len(most) > _MOST_SLIPPED else ""
        told.append(_begun(f"{', '.join(most[:_MOST_SLIPPED])}{others}, although held."))
    return " ".join(told)


def _begun(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
