"""What is left out where an embedded Triton cannot start, as on a bare Debian without libpython."""

from pathlib import Path

import pytest

from service.engine.embedded import why_not

NEED_TRITON = tuple(
    Path(__file__).parent / path
    for path in (
        "system",
        "service/engine/test_batching.py",
        "service/engine/test_embedded.py",
        "service/engine/test_embedded_faults.py",
        "service/engine/test_falling_back.py",
    )
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of a real Triton, with the reason and the cure, where there can be none."""
    if (reason := why_not()) is None:
        return
    skip = pytest.mark.skip(reason=f"no embedded Triton here: {reason}")
    for item in items:
        if any(item.path.is_relative_to(path) for path in NEED_TRITON):
            item.add_marker(skip)
