import pytest

from relatent.core.pack import read_packs
from relatent_service.traffic.admission import Admission
from relatent_service.traffic.lifecycle import Lifecycle
from relatent_service.traffic.pace import Pace
from tests.fixtures.guests import GRAPH, Guests
from tests.fixtures.restoring import add_restoration
from tests.fixtures.running import running_server
from tests.fixtures.texts import add_text_graphs, add_texts
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


@pytest.fixture
async def caching(tiny_root):
    """A server that keeps what it finds."""
    async with running_server(tiny_root, "--latent-cache-bytes", "1000000") as server:
        yield server


@pytest.fixture(scope="session")
def worded_root(tmp_path_factory):
    """The same with all that texts need."""
    root = tmp_path_factory.mktemp("worded")
    packs, repository = write_tiny(root)
    add_texts(packs / "tiny")
    add_text_graphs(repository)
    return root


@pytest.fixture(scope="session")
def worded_pack(worded_root):
    return read_packs(worded_root / "packs")["tiny"]


@pytest.fixture
async def worded(worded_root):
    """A server over the pack that knows texts."""
    async with running_server(worded_root) as server:
        yield server


@pytest.fixture(scope="session")
def restoring_root(tmp_path_factory):
    """The same with a method that restores."""
    root = tmp_path_factory.mktemp("restoring")
    add_restoration(*write_tiny(root))
    return root


@pytest.fixture(scope="session")
def restoring_pack(restoring_root):
    return read_packs(restoring_root / "packs")["tiny"]


@pytest.fixture
async def restoring(restoring_root):
    """A server over the pack that restores."""
    async with running_server(restoring_root) as server:
        yield server


@pytest.fixture
def pace():
    pace = Pace()
    pace.measure(GRAPH, 10, 1.0)
    return pace


@pytest.fixture
async def make(pace):
    made = []

    def make(max_inflight=2, max_queue=2):
        lifecycle = Lifecycle()
        made.append(Guests(Admission(max_inflight, max_queue, pace, lifecycle), lifecycle))
        return made[-1]

    yield make
    for guests in made:
        await guests.end()


@pytest.fixture
def guests(make):
    """Two at work at most, and two waiting."""
    return make()
