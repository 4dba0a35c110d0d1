from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from relatent_service.engine.embedded import child
from relatent_service.engine.embedded.engine import EmbeddedEngine
from relatent_service.engine.local import LocalEngine
from tests.service.engine.models import write_repository


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_repository(tmp_path_factory.mktemp("engine") / "model_repository")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def embedded(repository: Path) -> AsyncIterator[EmbeddedEngine]:
    """The real Triton; whoever kills it waits until it is back, which takes no longer for earlier deaths."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child, "LAST_BACKOFF_SECONDS", child.FIRST_BACKOFF_SECONDS)
        engine = EmbeddedEngine(repository)
        await engine.start()
        yield engine
        await engine.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def local(repository: Path) -> AsyncIterator[LocalEngine]:
    engine = LocalEngine(repository)
    await engine.start()
    yield engine
    await engine.stop()
