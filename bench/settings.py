"""What a measurement is run on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BenchSettings:
    """What every measurement needs to know.

    Attributes:
        packs: folder of packs.
        repository: Triton model repository with the pack's graphs.
        pack: name of the pack to measure with.
        engine: the service's engine, `embedded` (Triton) or `local`, where a service is measured.
        quick: fewer rounds and shorter runs: shows that a measurement works, says nothing of speed.
    """

    packs: Path = Path("packs")
    repository: Path = Path("model_repository")
    pack: str = "demo"
    engine: str = "embedded"
    quick: bool = False
