"""A service for clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from relatent.cli.local_service import LocalService
from tests.fixtures import tiny


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real service, in a process of its own."""
    packs, repository = tiny.write_tiny(tmp_path_factory.mktemp("tiny"))
    flags = ["--engine", "local", "--packs", str(packs), "--repository", str(repository)]
    with LocalService(flags, tmp_path_factory.mktemp("log") / "service.log") as service:
        yield service.address


@pytest.fixture(params=["blocking", "async"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which client."""
    name: str = request.param
    return name
