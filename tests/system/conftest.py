from collections.abc import Iterator
from pathlib import Path

import pytest

import relatent
from tests.fixtures.tiny import write_tiny
from tests.system.processes import ServiceProcess, running

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def tiny_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("system")
    write_tiny(root)
    return root


@pytest.fixture
def start_service(tiny_root, tmp_path):
    """Starts servers, all at once, and ends them."""
    started: list[ServiceProcess] = []

    def start(count=1, *flags):
        new = [
            ServiceProcess(tiny_root, tmp_path / f"server{len(started) + n}", *flags) for n in range(count)
        ]
        started.extend(new)
        for service in new:
            service.wait_ready()
        return new

    yield start
    for service in started:
        service.end()


@pytest.fixture(scope="module")
def service(tiny_root, tmp_path_factory):
    """One server for tests that leave it as it was."""
    with running(tiny_root, tmp_path_factory.mktemp("service") / "server") as server:
        yield server


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """A server of the demo pack, whose Triton some tests kill and see come back."""
    with running(ROOT, tmp_path_factory.mktemp("demo") / "server") as server:
        yield server


@pytest.fixture
def client(demo: ServiceProcess) -> Iterator[relatent.Client]:
    with relatent.Client(demo.address, timeout=120) as client:
        yield client
