"""Which tests may run beside each other, and what is left out where an embedded Triton cannot start."""

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


EXPORT = Path(__file__).parent / "export"


@pytest.hookimpl(tryfirst=True)  # before the groups are read
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Group the tests for `make unit`, and skip those of a real Triton where there can be none.

    The export half computes, and the others start servers and wait: two groups, run side by side. Within one
    they go one by one, share their fixtures, and have the machine's Tritons to themselves.
    """
    reason = why_not()
    skip = pytest.mark.skip(
        reason=f"no embedded Triton here, as on a bare Debian without libpython: {reason}"
    )
    for item in items:
        item.add_marker(pytest.mark.xdist_group("export" if item.path.is_relative_to(EXPORT) else "others"))
        if reason is not None and any(item.path.is_relative_to(path) for path in NEED_TRITON):
            item.add_marker(skip)
