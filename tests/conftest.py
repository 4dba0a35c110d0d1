"""Which tests may run beside each other, and what is left out where an embedded Triton cannot start."""

import gc
import os
import sys
from pathlib import Path

import pytest

from relatent_service.engine.embedded.child import why_not
from tests.fixtures.demo_service import address as address

# Before PyTorch is imported, by tests and by what they start: three tests at a time share a machine of two
# cores, and a second thread of tiny networks does nothing but wait, at a core's full cost.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Most tests that invert a picture twice mean it; those of the cache, and of what users run, have one.
os.environ.setdefault("RELATENT_LATENT_CACHE_BYTES", "0")

NEED_TRITON = tuple(
    Path(__file__).parent / path
    for path in (
        "system",
        "service/engine/test_batching.py",
        "service/engine/embedded/test_child.py",
        "service/engine/embedded/test_child_faults.py",
        "service/engine/test_falling_back.py",
    )
)


SERVERS, CALM = "servers", "calm"
ORDER = (
    SERVERS,
    "docs/test_bring_your_own.py",
    CALM,
    "docs/test_tutorials.py",
    "bench/test_step.py",
    "export/objectives",
    "export/nets",
    "export/compile",
    "export/triton",
    "export",
)
"""Groups of tests in the order in which they are begun, the longest first: what starts servers and waits,
what computes with PyTorch, by its place, and, between them, what does neither, of which there is most."""
CALM_PLACES = ("relatent", "service", "scripts", "deploy", "fixtures")
OF_METHODS = {"test_restoration.py": "restore", "test_text.py": "text"}
"""Of the objectives' tests, those of one method."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for `make unit`, and skip those of a real Triton where there can be none.

    Within a group tests go one by one, and share their fixtures. Who is done with a group takes the next.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_place(item)[1]))
    items.sort(key=lambda item: ORDER.index(_place(item)[0]))
    if (reason := why_not()) is not None:
        skip = pytest.mark.skip(reason=f"no embedded Triton here: {reason}")
        for item in items:
            if any(item.path.is_relative_to(path) for path in NEED_TRITON):
                item.add_marker(skip)


def _place(item: pytest.Item) -> tuple[str, str]:
    """Where in the order a test's group is, and the group's name."""
    path = item.path.relative_to(Path(__file__).parent)
    place = next((each for each in ORDER if path.is_relative_to(each)), None)
    if place == "export/objectives":
        return place, f"method-{_method(item)}"
    if place is not None:
        return place, "-".join(path.parts[:2])
    needs_triton = any(item.path.is_relative_to(each) for each in NEED_TRITON)
    group = CALM if path.parts[0] in CALM_PLACES and not needs_triton else SERVERS
    return group, group


def _method(item: pytest.Item) -> str:
    """The method that a test is about, where it is one of several."""
    spec = getattr(item, "callspec", None)
    named = None if spec is None else spec.params.get("name")
    return str(named or OF_METHODS.get(item.path.name, "objectives"))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep traced graphs between runs, where anything is to be traced."""
    gc.freeze()  # what is there now stays, and tracing makes the collector look at it again and again
    if "relatent_export.compile.onnx" in sys.modules:
        from tests.fixtures import graph_cache

        graph_cache.install()
