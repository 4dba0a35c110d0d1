"""Plans of the pack `tiny`, and what came of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from relatent.core.codes import Codes
from relatent.core.domain import Domain
from relatent.core.graphs import DIGEST
from relatent.core.methods import StartRule
from relatent.core.pack import Pack
from relatent.core.quality import Quality
from relatent.core.stopping import StopReason
from relatent_service.engine.engine import Graph
from relatent_service.inversion.inverter import Result
from relatent_service.inversion.job import Plan
from relatent_service.inversion.plausibility import Plausibility
from relatent_service.inversion.stopping import StopRules
from tests.fixtures import tiny

DOMAIN = Domain(0.1, 0.5, 100)


def make_plan(pack: Pack, **changes: Any) -> Plan:
    method = pack.methods["hybrid"]
    plan = Plan(pack, method, StartRule.ENCODER, StopRules(20), 0.02, dict(method.terms))
    return replace(plan, **changes)


def make_graphs(pack: Pack, **digests: str) -> dict[str, Graph]:
    """The pack's, each with a digest of its own, unless told otherwise; none where that is empty."""
    told = {name: digests.get(name.removeprefix("tiny_"), f"of {name}") for name in pack.served}
    return {
        name: Graph(name, 16, {}, {}, {DIGEST: digest} if digest else {}) for name, digest in told.items()
    }


def make_result(plan: Plan, **changes: Any) -> Result:
    code = np.random.default_rng(0).normal(size=(3, *tiny.CODE)).astype(np.float32)
    result = Result(
        pack=plan.pack,
        method=plan.method,
        code=Codes.plain(code)[1:2],
        reconstruction=tiny.random_image(3),
        quality=Quality(0.1 + 0.2, 1 / 3, 0.9, None, 1e-17),
        losses=np.linspace(1, 0.1, 7, dtype=np.float32),
        stop_reason=StopReason.PLATEAU,
        steps=7,
        plausibility=None if plan.domain is None else Plausibility(1 / 7, 0.123, plan.domain, None),
        beyond=np.arange(64, dtype=np.uint8).reshape(8, 8),
    )
    return replace(result, **changes)
