from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import relatent
from relatent.cli.main import main
from tests.relatent.client import fake
from tests.relatent.client.fake import FakeServer


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out, parse_constant=pytest.fail)  # NaN and the like are not JSON


@pytest.fixture
def command(
    server: FakeServer, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Awaitable[Ran]]:
    """Runs the command line in an empty folder, against the fake server."""
    monkeypatch.chdir(tmp_path)

    async def run(*words: str) -> Ran:
        argv = [words[0], "--address", server.address, "--timeout", "20", *words[1:]]
        code = await asyncio.to_thread(main, argv)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return run


@pytest.fixture
def image(tmp_path: Path) -> Callable[[str], Path]:
    def write(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (1, 2, 3)).save(path)
        return path

    return write


@pytest.fixture
def saved_code(tmp_path: Path) -> Path:
    path = tmp_path / "code.safetensors"
    relatent.LatentCode(np.full(fake.SHAPE, 0.25), fake.PACK, fake.REVISION).save(path)
    return path
