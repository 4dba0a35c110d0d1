"""Several ways of inverting one picture, and what each came to. No more of the page than that."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from relatent.client.catalog import PackInfo
from relatent.client.images import Picture
from relatent.client.results import Inversion
from relatent.playground import words
from relatent.playground.downloads import Maker, latent_bytes, links
from relatent.playground.parts.pictures import data_url, picture_format

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 460, 220, 48, 34, 14, 70
_LEAST_SECONDS = 0.005


@dataclass(frozen=True)
class Tried:
    """What a way came to.

    Attributes:
        key: that its files are offered by.
        name: of the way.
        inversion: its result.
        seconds: from asking to the answer.
    """

    key: str
    name: str
    inversion: Inversion
    seconds: float


def cards(tried: Sequence[Tried], pack: PackInfo, under_way: str = "") -> str:
    """The results side by side, as HTML.

    Args:
        tried: in the order in which they stand.
        pack: their own.
        under_way: a card for the next, from `coming`; empty where there is none.
    """
    return f'<div class="cards">{"".join(_card(each, pack) for each in tried)}{under_way}</div>'


def coming(name: str, steps: int, total: int, preview: Picture | None) -> str:
    """A card for a way that is still refining."""
    shown = _image(preview, f"{name}, so far") if preview is not None else ""
    told = f"{steps} of {total} steps" if total else "under way"
    caption = f"<figcaption><strong>{html.escape(name)}</strong> {told}</figcaption>"
    return f'<figure class="card coming">{shown}{caption}</figure>'


def file_names(pack: PackInfo, name: str) -> dict[str, str]:
    """The names of the files that `files` makes, by what they are."""
    return {"picture": f"{name}.{picture_format(pack).value}", "latent code": f"{name}.safetensors"}


def files(pack: PackInfo, tried: Tried) -> dict[str, Maker]:
    """How what somebody may take home is made, by the files' names."""
    picture, latent = file_names(pack, tried.name).values()
    found = tried.inversion
    return {picture: lambda: found.reconstruction.data, latent: lambda: latent_bytes(found.latent)}


def in_words(tried: Sequence[Tried]) -> str:
    """Which of several is nearest, and which quickest, in a sentence."""
    if len(tried) < 2:
        return "One way alone: choose several to compare them."
    best = max(tried, key=lambda each: each.inversion.quality.psnr)
    quick = min(tried, key=lambda each: each.seconds)
    if best is quick:
        return f"{best.name} is nearest to the picture, and the quickest, too."
    gain = best.inversion.quality.psnr - quick.inversion.quality.psnr
    return (
        f"{best.name} is nearest to the picture; {quick.name} is quickest, {gain:.1f} dB behind it "
        f"in {quick.seconds:.2f} s against {best.seconds:.2f} s."
    )


def scatter(tried: Sequence[Tried]) -> str:
    """Quality against time, as SVG: PSNR over seconds, these on a logarithmic scale."""
    points = [(each.name, max(each.seconds, _LEAST_SECONDS), each.inversion.quality.psnr) for each in tried]
    told = "; ".join(f"{name}: {psnr:.1f} dB in {seconds:.2f} s" for name, seconds, psnr in points)
    label = f"Quality against time. {told}" if told else "Quality against time, once there are results"
    inside = "".join(_points(points)) if points else ""
    axes = f'<path d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH - 4}"/>'
    names = (
        f'<text x="{_LEFT + 4}" y="{_TOP + 2}">PSNR, dB: the higher, the nearer</text>'
        f'<text x="{_WIDTH - 4}" y="{_HEIGHT - 4}" text-anchor="end">seconds</text>'
    )
    return (
        f'<svg class="scatter" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{html.escape(label)}">'
        f"<title>{html.escape(label)}</title>{axes}{names}{inside}</svg>"
    )


def _points(points: Sequence[tuple[str, float, float]]) -> list[str]:
    first, last = _span([math.log10(seconds) for _, seconds, _ in points], 0.3)
    low, high = _span([psnr for _, _, psnr in points], 2.0)
    across, up = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _BOTTOM - _TOP - 12
    made = []
    for name, seconds, psnr in points:
        x = _LEFT + across * (math.log10(seconds) - first) / (last - first)
        y = _TOP + 12 + up * (high - psnr) / (high - low)
        made.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>')
        made.append(f'<text x="{x + 7:.1f}" y="{y + 4:.1f}">{html.escape(name)}</text>')
    for value in (first, (first + last) / 2, last):
        x = _LEFT + across * (value - first) / (last - first)
        made.append(
            f'<text x="{x:.1f}" y="{_HEIGHT - _BOTTOM + 13}" text-anchor="middle">{10**value:.2g}</text>'
        )
    for value in (low, high):
        y = _TOP + 12 + up * (high - value) / (high - low)
        made.append(f'<text x="{_LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>')
    return made


def _span(values: Sequence[float], least: float) -> tuple[float, float]:
    """An axis that holds all values, and is at least so long."""
    low, high = min(values), max(values)
    room = max((least - (high - low)) / 2, (high - low) * 0.08)
    return low - room, high + room


def _card(tried: Tried, pack: PackInfo) -> str:
    inversion = tried.inversion
    steps = {0: "no steps", 1: "1 step"}.get(inversion.steps, f"{inversion.steps} steps")
    method = f" ({html.escape(inversion.method)})" if inversion.method not in ("", tried.name) else ""
    return (
        f'<figure class="card" data-way="{html.escape(tried.name)}">'
        f"{_image(inversion.reconstruction, f'as {tried.name} makes it')}"
        f"<figcaption><strong>{html.escape(tried.name)}</strong>{method}<br>"
        f"{html.escape(words.closeness(inversion.quality))}<br>"
        f'<span class="figures">{html.escape(words.figures(inversion.quality))}, '
        f"{tried.seconds:.2f} s, {steps}</span></figcaption>"
        f"{links(tried.key, file_names(pack, tried.name))}</figure>"
    )


def _image(picture: Picture, alt: str) -> str:
    return f'<img src="{data_url(picture)}" alt="{html.escape(alt)}">'
