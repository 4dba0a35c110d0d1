"""Which engine a server uses."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from service.engine.embedded import why_not
from service.engine.embedded_engine import EmbeddedEngine
from service.engine.engine import Engine
from service.engine.local import LocalEngine
from service.engine.triton import TritonEngine

log = logging.getLogger(__name__)


class EngineKind(StrEnum):
    """What runs the graphs."""

    AUTO = "auto"
    """The Triton servers given; else an embedded one; else, where that cannot start, this process."""
    TRITON = "triton"
    EMBEDDED = "embedded"
    LOCAL = "local"


@dataclass(frozen=True)
class Choice:
    """What a kind comes to on this machine.

    Attributes:
        kind: any but AUTO.
        note: what AUTO could not have, why, and the cure; empty where there is no better kind.
    """

    kind: EngineKind
    note: str = ""


def choose_engine(kind: EngineKind, repository: Path, addresses: Sequence[str]) -> Engine:
    """Make the engine, not started.

    Args:
        kind: which.
        repository: the model repository, for an embedded Triton or this process.
        addresses: of Triton servers, host:port each.

    Raises:
        ValueError: TRITON without addresses.
    """
    match settle(kind, addresses).kind:
        case EngineKind.TRITON:
            return TritonEngine(addresses)
        case EngineKind.EMBEDDED:
            return EmbeddedEngine(repository)
        case _:
            return LocalEngine(repository)


def settle(kind: EngineKind, addresses: Sequence[str]) -> Choice:
    """What AUTO comes to here; any other kind stays as it is."""
    if kind is not EngineKind.AUTO:
        return Choice(kind)
    if addresses:
        return Choice(EngineKind.TRITON)
    reason = why_not()
    if reason is None:
        return Choice(EngineKind.EMBEDDED)
    note = f"no embedded Triton, graphs run in this process, unbatched: {reason}"
    log.warning("%s", note)
    return Choice(EngineKind.LOCAL, note)
