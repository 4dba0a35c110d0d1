"""Seconds until a perceptual distance, served and in the published projectors' loops, on held-out drawings.

The goal is the mean distance that the served `hybrid` has after 30 steps. Ours is whole calls through client,
service and Triton: with one caller, image after image, and with eight at once. Peers (`bench.peers`) run in
eager PyTorch on the same weights and cores: one image after the other, and all eight in a batch or one after
the other, whichever is faster. Each peer has its published settings and the best of a small sweep on other
drawings; whichever takes the fewest steps counts. How many those are is counted first, without a clock
(`bench.reaching`).

Then all are timed by turns, ours before and after each turn of a peer. A step of a loop costs the same
wherever it is, so a turn takes a loop's beginning (encoder and features) and at most 100 of its steps, and
counts the beginning once and each step as often as it is needed.

By the steps of `docs/bench.json`, on two cores and where no peer gets there early: sweeps three minutes,
counting five, seven rounds of timing five. Thirteen minutes in all, and twice that where neighbours are busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from bench.contenders import Contender, Level
from bench.graphs import Array, Graphs, targets
from bench.measurement import BenchSettings
from bench.peers import PeerNetworks, idinvert_style, image2stylegan_style
from bench.reaching import Contest, Contestant, winner
from bench.serving import Way, invert_by, served
from bench.timing import significant, spread
from relatent import AsyncClient
from relatent.core.pack import read_pack
from relatent_export.demo.world import Drawings, draw
from relatent_export.packs.weights import load_networks
from relatent_export.progress import progress
from relatent_service.engine.cores import available_cores

GOAL = Way("hybrid", 30)
"""Whose mean distance is the goal."""


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: of timing.
        timed_steps: of a loop in a round.
        cap: of all steps that are counted.
        swept_images: drawings of the sweep.
        swept: how many of a peer's settings are tried.
        levels: of callers and images.
    """

    rounds: int = 7
    timed_steps: int = 100
    cap: int = 1_000
    swept_images: int = 4
    swept: int = 100
    levels: Mapping[str, Level] = field(default_factory=lambda: {"one": Level(1, 4), "eight": Level(8, 8)})


QUICK = Effort(1, 2, 4, swept_images=1, swept=1, levels={"one": Level(1, 1), "eight": Level(8, 2)})


OURS = Way("feature", 8)
"""What the service is asked for to get there."""


def run(settings: BenchSettings, ours: Way = OURS) -> dict[str, Any]:
    """Measure.

    Args:
        settings: of the measurement; the pack must be one that was trained here.
        ours: the served way that is timed. The goal is that of `GOAL` all the same.

    Returns:
        `speedup_over_idinvert_style` and `speedup_over_image2stylegan_style`, each with `one` and `eight`:
        the peer's seconds an image over ours, a lower bound where `censored`; the goals, both sides'
        seconds, and each peer's settings with the steps that they take.
    """
    torch.set_num_threads(available_cores())
    return asyncio.run(_run(settings, ours, QUICK if settings.quick else Effort()))


async def _run(settings: BenchSettings, way: Way, effort: Effort) -> dict[str, Any]:
    graphs = Graphs(read_pack(settings.packs / settings.pack), settings.repository)
    networks = PeerNetworks.of(load_networks(settings.packs / settings.pack))
    levels = effort.levels
    images = targets(graphs, max(level.images for level in levels.values()))
    callers = max(level.callers for level in levels.values())
    peers = (idinvert_style(), image2stylegan_style())
    async with (
        served(settings, max_inflight=callers) as service,
        AsyncClient(service.address, timeout=600) as client,
    ):
        await invert_by(client, images, callers, way)
        goals = {at: await _distance(client, images[: level.images], GOAL) for at, level in levels.items()}
        reached = {at: await _distance(client, images[: level.images], way) for at, level in levels.items()}
        others = _drawings(graphs, effort.swept_images)
        bar = await _distance(client, others, GOAL)
        contest = Contest(graphs, networks.counting(), effort.cap)
        contestants: dict[str, list[Contestant]] = {}
        for peer in peers:
            tried = replace(peer, swept=peer.swept[: effort.swept])
            kept = await asyncio.to_thread(contest.sweep, tried, others, bar)
            wanted = {level.images: goals[at] for at, level in levels.items()}
            contestants[peer.name] = await asyncio.to_thread(contest.contestants, peer, kept, images, wanted)
        contenders = {
            peer.name: {
                at: Contender(level, winner(contestants[peer.name], level.images), networks, images)
                for at, level in levels.items()
            }
            for peer in peers
        }
        await invert_by(client, images, callers, way)  # it has been idle for minutes
        await _race([one for sides in contenders.values() for one in sides.values()], client, way, effort)
    return {
        **{f"speedup_over_{name}": _speedups(sides) for name, sides in contenders.items()},
        "ours": {
            "method": way.method,
            "steps": way.steps,
            "perceptual": {at: significant(distance) for at, distance in reached.items()},
            "seconds_an_image": {
                at: spread([s for sides in contenders.values() for s in sides[at].ours]).as_json()
                for at in levels
            },
        },
        "goal": {at: significant(goal) for at, goal in {**goals, "sweep": bar}.items()},
        "goal_of": {"method": GOAL.method, "steps": GOAL.steps},
        "images": {at: level.images for at, level in levels.items()} | {"sweep": effort.swept_images},
        **{peer.name: _told(contenders[peer.name], contestants[peer.name]) for peer in peers},
        "engine": settings.engine,
        "rounds": effort.rounds,
        "timed_steps": effort.timed_steps,
    }


async def _race(contenders: Sequence[Contender], client: AsyncClient, way: Way, effort: Effort) -> None:
    """Time everyone by turns. The service is warm; the loops have not run in this form yet."""
    for contender in contenders:
        await asyncio.to_thread(contender.warm_up)
    for turn in progress(range(effort.rounds), "timing", leave=False):
        for contender in contenders if turn % 2 == 0 else reversed(contenders):
            await contender.measure(client, way, steps=effort.timed_steps)


async def _distance(client: AsyncClient, images: Array, way: Way) -> float:
    """Mean perceptual distance of the served answers."""
    return float(np.mean((await invert_by(client, images, 1, way))[1]))


def _drawings(graphs: Graphs, count: int) -> Array:
    """Drawings that nothing is measured on, uint8 [count, R, R, 3]."""
    drawings, _ = draw(Drawings.SWEEP, count, graphs.pack.resolution)
    return np.ascontiguousarray(drawings.permute(0, 2, 3, 1).numpy())


def _speedups(sides: Mapping[str, Contender]) -> dict[str, Any]:
    """A peer's seconds over ours, each round's own."""
    return {
        at: spread(one.speedups(sides["one"])).as_json() | {"censored": one.reached.censored}
        for at, one in sides.items()
    }


def _told(sides: Mapping[str, Contender], contestants: Sequence[Contestant]) -> dict[str, Any]:
    """What a peer did: at each level what won and its seconds, then all settings that were tried."""
    return {
        **{at: side.as_json(sides["one"]) for at, side in sides.items()},
        "tried": [
            {
                "kind": one.kind,
                **{at: one.reached[side.level.images].as_json() for at, side in sides.items()},
                "settings": one.settings.as_json(),
            }
            for one in contestants
        ],
    }
