"""The loss while a picture is refined, as a small drawing that grows."""

from __future__ import annotations

import math
from collections.abc import Sequence

_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 320, 120, 44, 18


def curve(losses: Sequence[tuple[int, float]], total: int) -> str:
    """A curve as SVG, its loss on a logarithmic scale.

    Args:
        losses: steps done, and the best loss by then.
        total: steps that will be done at most.

    Returns:
        HTML; of fewer than two losses that can be drawn, a drawing without a curve.
    """
    drawn = [(step, loss) for step, loss in losses if math.isfinite(loss) and loss > 0]
    if len(drawn) < 2:
        return _svg("The loss, once there are steps", "")
    most, least = max(loss for _, loss in drawn), min(loss for _, loss in drawn)
    span = math.log(most / least) or 1.0
    across, up = _WIDTH - _LEFT - 6, _HEIGHT - _BOTTOM - 8
    points = " ".join(
        f"{_LEFT + across * step / max(total, 1):.1f},{8 + up * math.log(most / loss) / span:.1f}"
        for step, loss in drawn
    )
    steps, last = drawn[-1]
    marks = (
        f'<text x="{_LEFT - 5}" y="14" text-anchor="end">{most:.2g}</text>'
        f'<text x="{_LEFT - 5}" y="{_HEIGHT - _BOTTOM}" text-anchor="end">{least:.2g}</text>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 4}">0</text>'
        f'<text x="{_WIDTH - 6}" y="{_HEIGHT - 4}" text-anchor="end">{total} steps</text>'
    )
    told = f"Loss {drawn[0][1]:.2g} at first, {last:.2g} after {steps} of {total} steps"
    return _svg(told, f'<polyline points="{points}"/>{marks}')


def _svg(told: str, inside: str) -> str:
    axes = f'<path d="M{_LEFT} 6V{_HEIGHT - _BOTTOM}H{_WIDTH - 4}"/>'
    return (
        f'<svg class="loss-curve" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{told}">'
        f"<title>{told}</title>{axes}{inside}</svg>"
    )
