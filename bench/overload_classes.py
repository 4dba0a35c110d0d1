"""What a service answers in time of two classes, quotas and edits, when more is asked than it can do.

An open load, as in `bench.overload`, of the kinds of calls of `bench.overload_kinds`: of the work that is
asked for, half is bulk.

What can be done is what callers who wait for their inversions get done, as there. An edit is worth as much
of it as callers get done of edits alone. So goodput is work that was answered in time, a second, over
capacity, whatever it consists of; it counts the share of each call's time that lies in a window.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.graphs import Array, Graphs, targets
from bench.measurement import BenchSettings
from bench.overload import CALLERS, SEED, Window, alone_seconds, rate
from bench.overload_kinds import BULK_DEADLINE, DEADLINE, GREEDY, PAGE, SHARES, BenchKeys, kinds_of
from bench.overload_mix import KindOutcomes, MixedCall, meet
from bench.serving import invert_all, served
from bench.timing import significant, spread
from relatent import AsyncClient, PlannedCall
from relatent.client.channels import open_async_channel
from relatent.client.settings import DEFAULT_MAX_MESSAGE_BYTES
from relatent.core.access_keys import Quota
from relatent.core.pack import read_pack
from relatent_service.settings import read_settings

LOADS = (1.0, 2.0, 5.0)
"""Work asked for, over what can be done."""
QUOTA_SHARE = 0.025
"""Of all that can be done, what the quota is that is exceeded."""
FEW = (1, 2, 4)
"""Callers at a time, what of capacity they get done: as many as have their answers within such deadlines."""
ROUNDS, SECONDS, CAPACITY_SECONDS, STEPS = 3, 30.0, 20.0, 50
"""Of the measurement; seconds are those of one window."""


@dataclass
class _Measured:
    """What became of the calls at one load, round by round."""

    offered: list[float] = field(default_factory=list)
    goodputs: list[float] = field(default_factory=list)
    bulk: list[float] = field(default_factory=list)
    kinds: dict[str, KindOutcomes] = field(default_factory=dict)

    def take(self, met: Mapping[str, KindOutcomes], seconds: float) -> None:
        done = sum(outcome.done for outcome in met.values())
        self.offered.append(sum(outcome.offered for outcome in met.values()) / seconds)
        self.goodputs.append(done / seconds)
        self.bulk.append(met["bulk"].done / done if done else 0.0)
        for name, outcome in met.items():
            self.kinds.setdefault(name, KindOutcomes()).add(outcome)

    def as_json(self) -> dict[str, Any]:
        interactive, everybody = KindOutcomes(), KindOutcomes()
        for name, outcome in self.kinds.items():
            everybody.add(outcome)
            if name != "bulk":
                interactive.add(outcome)
        return {
            "offered_over_capacity": spread(self.offered).as_json(),
            "goodput_over_capacity": spread(self.goodputs).as_json(),
            "bulk_share": spread(self.bulk).as_json(),
            "all": everybody.as_json(),
            "all_interactive": interactive.as_json(),
            **{name: outcome.as_json() for name, outcome in self.kinds.items()},
        }


def run(settings: BenchSettings) -> dict[str, Any]:
    """Measure.

    Returns:
        `loads`: for each what became of its calls, all together, of each kind and of all interactive ones;
        `goodput_at_1`, `_2` and `_5` of them; what can be done, what edits are worth of it, and deadlines.
    """
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(settings, BenchKeys(Path(folder) / "keys.json")))


async def _run(settings: BenchSettings, keys: BenchKeys) -> dict[str, Any]:
    rounds, seconds, steps = (1, 1.0, 8) if settings.quick else (ROUNDS, SECONDS, STEPS)
    pack = read_pack(settings.packs / settings.pack)
    images = list(targets(Graphs(pack, settings.repository), 16))
    random, loads = np.random.default_rng(SEED), {load: _Measured() for load in LOADS}
    capacities: list[float] = []
    inflight = read_settings([], {}).max_inflight
    further = ["--api-keys", str(keys.path)]
    async with (
        served(settings, max_inflight=inflight, further=further) as service,
        AsyncClient(service.address, api_key=keys.secrets[PAGE], timeout=600) as client,
        open_async_channel(service.address, DEFAULT_MAX_MESSAGE_BYTES) as channel,
    ):
        await invert_all(client, images[:8], concurrency=8, steps=steps)
        alone = await alone_seconds(client, images, steps)
        kinds = await kinds_of(channel, pack, images, steps, keys, alone)
        sought = Window(0.0 if settings.quick else 2 * DEADLINE * alone, min(seconds, CAPACITY_SECONDS))
        before = await _capacity(client, images, steps, sought)
        few = {callers: await rate(client, images, steps, callers, sought) / before for callers in FEW}
        worths = await _worths(kinds, before, sought)
        quota = Quota(
            steps_a_minute=4 * steps if settings.quick else round(60 * QUOTA_SHARE * before * steps)
        )
        keys.write(quota)
        await _until_rationed(service.address, keys.secrets[GREEDY], steps)
        window = Window((DEADLINE if settings.quick else BULK_DEADLINE) * alone, seconds)
        for turn in range(rounds):
            mix = [replace(kind, worth=worths[kind.name]) for kind in kinds]
            met = {}
            for load in LOADS if turn % 2 == 0 else reversed(LOADS):
                met[load] = await meet(mix, load, window, random)
            after = await _capacity(client, images, steps, sought)
            capacities.append((before + after) / 2)
            for load, outcomes in met.items():  # worth what they are of what could be done about then
                loads[load].take(outcomes, seconds * capacities[-1] / before)
            before, worths = after, {name: worth * before / after for name, worth in worths.items()}
    report: dict[str, Any] = {
        f"goodput_at_{load:g}": significant(float(np.median(measured.goodputs)))
        for load, measured in loads.items()
    }
    return report | {
        "loads": {f"{load:g}": measured.as_json() for load, measured in loads.items()},
        "capacity_a_second": spread(capacities).as_json(),
        "few_callers_over_capacity": {str(callers): significant(part) for callers, part in few.items()},
        "work_shares": SHARES,
        "quota_share": significant((quota.steps_a_minute or 0) / 60 / steps / float(np.median(capacities))),
        "edits_an_inversion": {
            kind.name: significant(worths["interactive"] / worths[kind.name])
            for kind in kinds
            if "edit" in kind.name
        },
        "seconds_alone": significant(alone),
        "deadline_seconds": {kind.name: significant(kind.deadline) for kind in kinds},
        "max_inflight": inflight,
        "engine": settings.engine,
        "steps": steps,
        "rounds": rounds,
        "seconds_a_window": seconds,
    }


async def _capacity(client: AsyncClient, images: Sequence[Array], steps: int, window: Window) -> float:
    """Inversions a second, of as many callers as serve best."""
    return max([await rate(client, images, steps, callers, window) for callers in CALLERS])


async def _worths(kinds: Sequence[MixedCall], capacity: float, window: Window) -> dict[str, float]:
    """Seconds of all that can be done that one call of each kind takes, where there are no others."""
    worths = {}
    for kind in kinds:
        if "edit" in kind.name:
            worths[kind.name] = 1 / await _rate_of(kind, window)
        else:
            worths[kind.name] = 1 / capacity
    return worths


async def _rate_of(kind: MixedCall, window: Window) -> float:
    """Calls a second of callers who wait for their answers, as in `bench.overload.rate`."""
    loop, done = asyncio.get_running_loop(), 0.0
    began = loop.time()

    async def call(index: int) -> None:
        nonlocal done
        while (came := loop.time() - began) < window.end:
            await kind.ask(index, 60.0)
            done += window.share(came, loop.time() - began)

    await asyncio.gather(*map(call, range(CALLERS[0])))
    return done / window.seconds


async def _until_rationed(address: str, key: str, steps: int) -> None:
    """Wait until the service has read the file of keys again."""
    async with AsyncClient(address, api_key=key) as client, asyncio.timeout(60):
        while (await client.estimate(PlannedCall.invert(steps=steps))).quota is None:
            await asyncio.sleep(0.1)
