import pytest

from relatent.pack import read_packs
from tests.fixtures.running import running_server
from tests.fixtures.tiny import write_tiny


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory):
    """A folder with the tiny pack and its repository."""
    root = tmp_path_factory.mktemp("tiny")
    write_tiny(root)
    return root


@pytest.fixture(scope="session")
def pack(tiny_root):
    return read_packs(tiny_root / "packs")["tiny"]


@pytest.fixture
async def running(tiny_root):
    async with running_server(tiny_root) as server:
        yield server
