"""Which tests may run beside each other, and what is left out where an embedded Triton cannot start."""

import gc
import os
import sys
from pathlib import Path

import pytest

from relatent_service.engine.embedded.child import why_not

# Before PyTorch is imported, by tests and by what they start: three groups of tests share a machine of two
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


GROUPS = {
    "walk": ("docs/test_bring_your_own.py", "docs/test_tutorials.py"),
    "serve": ("export/objectives",),
    "compute": ("export", "bench/test_step.py"),
}
"""What runs side by side, by the first that has a test: two of those that compute with PyTorch, and one of
those that start servers and wait, with as much of the former as makes all three end together."""
WALKED_METHODS = ("layered", "multi_code", "feature")
"""Of the objectives' methods, those whose graphs are traced beside the walk."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """Group the tests for `make unit`: within a group they go one by one, and share their fixtures."""
    here = Path(__file__).parent
    found = [name for name, paths in GROUPS.items() if any(item.path.is_relative_to(here / p) for p in paths)]
    group = found[0] if found else "serve"
    if item.path.is_relative_to(here / "export/objectives") and _method(item) in WALKED_METHODS:
        group = "walk"
    item.add_marker(pytest.mark.xdist_group(group))


def _method(item: pytest.Item) -> object:
    """The method that a test is about, where it is one of several."""
    spec = getattr(item, "callspec", None)
    return None if spec is None else spec.params.get("name")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keep traced graphs between runs, where anything is to be traced."""
    gc.freeze()  # what is there now stays, and tracing makes the collector look at it again and again
    if "relatent_export.compile.onnx" in sys.modules:
        from tests.fixtures import graph_cache

        graph_cache.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of a real Triton where there can be none, as on a bare Debian without libpython."""
    if (reason := why_not()) is None:
        return
    skip = pytest.mark.skip(reason=f"no embedded Triton here: {reason}")
    for item in items:
        if any(item.path.is_relative_to(path) for path in NEED_TRITON):
            item.add_marker(skip)
