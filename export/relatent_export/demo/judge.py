"""The judge's file in the demo pack's folder, and how well it judges.

The file belongs to reports. No manifest lists it and no graph is made of it, so that nothing that is measured
with it can ever have been made with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from relatent_export.analysis.editing import Reader
from relatent_export.demo.factors import FACTORS
from relatent_export.demo.world import Drawings, draw
from relatent_export.nets.assigning import assign
from relatent_export.nets.judge import Judge, JudgeConfig
from relatent_export.nets.pixels import to_float
from relatent_export.packs.tensors import building_from, load_network, save_network
from relatent_export.packs.weights import JUDGE
from relatent_export.writing import whole_file

PERCENT = 50.0
"""What turns a difference of factors, which range over 2, into a share of their range in %."""

_COUNT = 1_000
_CHUNK = 100


@dataclass(frozen=True)
class JudgeErrors:
    """How far the judge is from the truth, on held-out drawings.

    Attributes:
        error: mean absolute error of each factor, in % of its range.
        r2: share of each factor's variance that the judge tells.
    """

    error: Mapping[str, float]
    r2: Mapping[str, float]

    @property
    def mean_error(self) -> float:
        """Mean absolute error over all factors, in % of the range."""
        return sum(self.error.values()) / len(self.error)


def save_judge(judge: Judge, folder: Path) -> Path:
    """Write the judge into a pack's folder; returns the file.

    Raises:
        OSError: it cannot be written; names the file.
    """
    path = folder / JUDGE
    with whole_file(path) as partial:
        save_network(partial, judge, asdict(judge.config))
    return path


def load_judge(folder: Path) -> Judge:
    """Read the judge in a pack's folder.

    Returns:
        The judge, frozen and in evaluation mode.

    Raises:
        FileNotFoundError: there is none.
        ValueError: its weights do not fit its header.
    """
    path = folder / JUDGE
    tensors, header = load_network(path)
    with building_from(path):
        judge = Judge(JudgeConfig(**header))
        assign(judge, tensors)
    return judge


def judge_beside(folder: Path) -> Reader | None:
    """What the judge in a pack's folder reads off images; None where there is none."""
    if not (folder / JUDGE).is_file():
        return None
    judge = load_judge(folder)

    @torch.no_grad()
    def read(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        chunks = torch.split(to_float(torch.from_numpy(images)), _CHUNK)
        attributes: NDArray[np.float32] = torch.cat([judge(chunk) for chunk in chunks]).numpy()
        return attributes

    return read


@torch.no_grad()
def measure_judge(judge: Judge, count: int = _COUNT) -> JudgeErrors:
    """Compare what the judge reads off the first `count` held-out drawings with what they were drawn from."""
    images, factors = draw(Drawings.HELD_OUT, count, judge.config.resolution)
    read = torch.cat([judge(chunk.float() / 127.5 - 1) for chunk in torch.split(images, _CHUNK)])
    error = (read - factors).abs().mean(0) * PERCENT
    r2 = 1 - (read - factors).square().mean(0) / factors.var(0, unbiased=False)
    return JudgeErrors(
        error=dict(zip(FACTORS, error.tolist(), strict=True)), r2=dict(zip(FACTORS, r2.tolist(), strict=True))
    )
