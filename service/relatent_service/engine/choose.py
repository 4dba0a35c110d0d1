"""Which engine a server uses."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from relatent_service.channels import TritonCredentials
from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.engine import Engine
from relatent_service.engine.falling_back import FallingBackEngine
from relatent_service.engine.triton import TritonEngine

if TYPE_CHECKING:
    from relatent_service.engine.local import LocalEngine


class NoEngine(Exception):
    """What an engine is made of is not installed; the message says what to do."""


class EngineKind(StrEnum):
    """What runs the graphs."""

    AUTO = "auto"
    """The Triton servers given; else an embedded one; else, where that does not start, this process."""
    TRITON = "triton"
    EMBEDDED = "embedded"
    LOCAL = "local"


def choose_engine(
    kind: EngineKind,
    repository: Path,
    addresses: Sequence[str],
    credentials: TritonCredentials | None = None,
) -> Engine:
    """Make the engine, not started.

    Args:
        kind: which.
        repository: the model repository, for an embedded Triton or this process.
        addresses: of Triton servers, host:port each.
        credentials: of TLS to them; None: without.

    Raises:
        ValueError: TRITON without addresses.
        NoEngine: it is to be this process, which has no ONNX Runtime.
    """
    match kind:
        case EngineKind.TRITON:
            return TritonEngine(addresses, credentials)
        case EngineKind.EMBEDDED:
            return EmbeddedEngine(repository)
        case EngineKind.LOCAL:
            return _local(repository)
        case EngineKind.AUTO if addresses:
            return TritonEngine(addresses, credentials)
    return FallingBackEngine(EmbeddedEngine(repository), _local(repository))


def _local(repository: Path) -> LocalEngine:
    # Imported here, since who has a Triton elsewhere needs no ONNX Runtime.
    try:
        from relatent_service.engine.local import LocalEngine
    except ModuleNotFoundError as error:
        raise NoEngine(
            f"no engine: {error.name} is not installed, as in the service image: give the address of "
            "a Triton, --triton or RELATENT_TRITON, or take the image relatent-standalone"
        ) from error
    return LocalEngine(repository)


def describe(engine: Engine) -> dict[str, str]:
    """What is told of an engine that has started: its kind, a note, and where its Triton's metrics are.

    Returns:
        `engine`, any kind but AUTO; `note`, what AUTO could not have, why, and the cure, or empty; and of an
        embedded Triton, `triton`, its gRPC address for this user's programs, and `triton_metrics`.
    """
    match engine:
        case FallingBackEngine():
            return {**describe(engine.engine), "note": engine.note}
        case EmbeddedEngine():
            triton, metrics = engine.triton.address, engine.triton.metrics_address
            kind = EngineKind.EMBEDDED.value
            return {"engine": kind, "note": "", "triton": triton, "triton_metrics": metrics}
        case TritonEngine():
            return {"engine": EngineKind.TRITON.value, "note": ""}
    return {"engine": EngineKind.LOCAL.value, "note": ""}
