"""A file that is cut off or damaged gives data or a refusal, and never anything else."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from relatent_export.checkpoints import read_checkpoint
from relatent_export.checkpoints.errors import DamagedFile, Refused, UnknownFile
from tests.export.checkpoints.containers import CONTAINERS
from tests.export.checkpoints.nvidia import Nvidia
from tests.export.checkpoints.refusing import refusal

CUTS, SEEDS = 150, 200
MAGIC = {b"P": 4, b"\x93": 6, b"\x80": 1}
"""By its first byte, how many bytes tell what a file is."""


def outcome(path: Path) -> str:
    """Why a file is refused; empty if it is not."""
    try:
        read_checkpoint(path)
    except Refused as error:
        return str(error)
    return ""


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_truncated_file_is_named_as_one(container: str, nvidia: Nvidia, tmp_path: Path) -> None:
    data = CONTAINERS[container](nvidia)
    assert "empty" in refusal(tmp_path, b"", DamagedFile)
    for end in sorted({1, 2, 5, len(data) - 1, *range(8, len(data), max(len(data) // CUTS, 1))}):
        # So few bytes may be the beginning of anything.
        told = 9 if data[8:9] == b"{" else MAGIC[data[:1]]
        expected = UnknownFile if end < told else DamagedFile
        reason = refusal(tmp_path, data[:end], expected)
        assert expected is UnknownFile or "cut off" in reason or "bytes" in reason


@pytest.mark.parametrize("container", CONTAINERS)
def test_a_damaged_file_gives_data_or_a_refusal(
    container: str, nvidia: Nvidia, canary: Path, tmp_path: Path
) -> None:
    data, path, refused = CONTAINERS[container](nvidia), tmp_path / "file", 0
    for seed in range(SEEDS):
        chance, damaged = random.Random(seed), bytearray(data)
        for _ in range(chance.randint(1, 6)):
            damaged[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(damaged)
        reason = outcome(path)
        refused += bool(reason)
        assert not reason or (reason.startswith(f"{path}: ") and reason.isprintable())
    assert refused > SEEDS // 10
    assert not canary.exists()
