"""What is said of a file that is refused, and how much memory that takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from relatent_export.checkpoints import read_checkpoint
from relatent_export.checkpoints.errors import Refused


def refusal(tmp_path: Path, data: bytes, kind: type[Refused] = Refused) -> str:
    """Why a file is refused: one line, here without the path that it starts with."""
    path = tmp_path / "file"
    path.write_bytes(data)
    with pytest.raises(kind) as caught:
        read_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.isprintable()
    return message.removeprefix(f"{path}: ")


def resident(field: str) -> int:
    """Bytes of this process in memory, of one of Linux's ways to count them."""
    status = Path("/proc/self/status").read_text()
    (found,) = re.findall(rf"^{field}:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found) << 10


@contextmanager
def taking_at_most(most: int) -> Iterator[None]:
    """Check that never more bytes of memory than that are added, even if they are given back."""
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    yield
    taken = resident("VmHWM") - before
    assert taken <= most, f"{taken} bytes of memory"
