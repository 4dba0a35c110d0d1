"""The measurement of sessions says what it promises; speed is not judged here."""

from __future__ import annotations

import asyncio

from bench.measurement import BenchSettings
from bench.serving import served
from bench.sessions import EVENTS_A_SECOND, session_figures
from relatent import LatentCode
from relatent.core.pack import read_pack
from tests.fixtures.requests import REVISION, code


async def test_every_change_is_answered_or_dropped_and_ages_are_told(settings: BenchSettings) -> None:
    pack = read_pack(settings.packs / settings.pack)
    latent = LatentCode(code(1), "tiny", REVISION)
    async with served(settings, max_inflight=2) as service:
        report = await asyncio.to_thread(session_figures, service.address, pack, latent, 0.5)
    assert report["events_a_second"] == EVENTS_A_SECOND
    for kind in ("moves", "exact"):
        figures = report[kind]
        assert figures["changes"] == 30
        assert 0 <= figures["dropped_share"] < 1
        assert 0 < figures["answers_a_second"] <= 1.1 * EVENTS_A_SECOND
        ages = figures["age_ms"]
        assert 0 < ages["p50"] <= ages["p90"] <= ages["p99"]
